// What one call of the memory layer takes, beside glibc and plain mimalloc.
#include <benchmark/benchmark.h>
#include <mimalloc.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "arena/arena.h"
#include "bench/micro/sizes.h"

namespace frozen_arena {
namespace {

// An arena that lives as long as the benchmark; with a block of its own, so that it stays when the
// others are freed.
class Building {
 public:
  Building() : arena_(Arena::Create({})) { arena_->Allocate(LaneKind::kPayload, 64); }
  ~Building() {
    arena_->Abandon();
    arena_->DropHandle();
  }
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;
  Arena* operator->() const { return arena_; }

 private:
  Arena* arena_;
};

void ArenaAllocate(benchmark::State& state) {
  const Building arena;
  TimeAllocate(
      state, [&](std::size_t size) { return arena->Allocate(LaneKind::kObjects, size); },
      [&](void* block) { arena->Free(block); });
}
BENCHMARK(ArenaAllocate)->Apply(Sizes);

void MimallocAllocate(benchmark::State& state) { TimeAllocate(state, mi_malloc, mi_free); }
BENCHMARK(MimallocAllocate)->Apply(Sizes);

void GlibcAllocate(benchmark::State& state) { TimeAllocate(state, std::malloc, std::free); }
BENCHMARK(GlibcAllocate)->Apply(Sizes);

void ArenaFree(benchmark::State& state) {
  const Building arena;
  TimeFree(
      state, [&](std::size_t size) { return arena->Allocate(LaneKind::kObjects, size); },
      [&](void* block) { FreeIfOurs(block); });
}
BENCHMARK(ArenaFree)->Apply(Sizes);

void MimallocFree(benchmark::State& state) { TimeFree(state, mi_malloc, mi_free); }
BENCHMARK(MimallocFree)->Apply(Sizes);

void GlibcFree(benchmark::State& state) { TimeFree(state, std::malloc, std::free); }
BENCHMARK(GlibcFree)->Apply(Sizes);

// As the hooks do it: in place where that goes, else a new block and a copy.
void ArenaGrow(benchmark::State& state) {
  const Building arena;
  TimeGrow(
      state, [&](std::size_t size) { return arena->Allocate(LaneKind::kPayload, size); },
      [&](void* block, std::size_t size) {
        if (arena->ResizeInPlace(block, size)) {
          return block;
        }
        void* const moved = arena->Allocate(LaneKind::kPayload, size);
        std::memcpy(moved, block, arena->UsableSize(block));
        arena->Free(block);
        return moved;
      },
      [&](void* block) { arena->Free(block); });
}
BENCHMARK(ArenaGrow)->Arg(4096)->Arg(1 << 20);

void MimallocGrow(benchmark::State& state) { TimeGrow(state, mi_malloc, mi_realloc, mi_free); }
BENCHMARK(MimallocGrow)->Arg(4096)->Arg(1 << 20);

void GlibcGrow(benchmark::State& state) { TimeGrow(state, std::malloc, std::realloc, std::free); }
BENCHMARK(GlibcGrow)->Arg(4096)->Arg(1 << 20);

// The test that every RAW free makes: is this ours? The addresses are spread over what there is.
void TimeOwnership(benchmark::State& state, const std::vector<void*>& blocks) {
  std::size_t place = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(FindArena(blocks[place]));
    place = place + 1 == blocks.size() ? 0 : place + 1;
  }
}

void OwnershipOfOurs(benchmark::State& state) {
  const Building arena;
  std::vector<void*> blocks(kBatch);
  for (void*& block : blocks) {
    block = arena->Allocate(LaneKind::kObjects, 1000);
  }
  TimeOwnership(state, blocks);
  for (void* block : blocks) {
    arena->Free(block);
  }
}
BENCHMARK(OwnershipOfOurs);

void OwnershipOfOthers(benchmark::State& state) {
  const Building arena;
  std::vector<void*> blocks(kBatch);
  for (void*& block : blocks) {
    block = std::malloc(1000);
  }
  TimeOwnership(state, blocks);
  for (void* block : blocks) {
    std::free(block);
  }
}
BENCHMARK(OwnershipOfOthers);

// An arena with `mib` MiB of blocks of 64 bytes in it, not sealed.
Arena* Filled(std::int64_t mib) {
  Arena* const arena = Arena::Create({});
  constexpr std::size_t kSize = 64;
  for (std::int64_t count = mib * (1 << 20) / static_cast<std::int64_t>(kSize); count > 0;
       --count) {
    std::memset(arena->Allocate(LaneKind::kObjects, kSize), 1, kSize);
  }
  return arena;
}

// Frees all blocks that the walk before the seal has found, and with the last one the arena.
void Release(Arena* arena, const std::vector<void*>& blocks) {
  arena->DropHandle();
  for (void* block : blocks) {
    FreeIfOurs(block);
  }
}

std::vector<void*> BlocksOf(Arena* arena) {
  std::vector<void*> blocks;
  arena->VisitBlocks(
      LaneKind::kObjects,
      [](void* found, void* block, std::size_t) {
        static_cast<std::vector<void*>*>(found)->push_back(block);
        return true;
      },
      &blocks);
  return blocks;
}

void Seal(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    Arena* const arena = Filled(state.range(0));
    const std::vector<void*> blocks = BlocksOf(arena);
    state.ResumeTiming();
    if (arena->Seal() != Status::kOk) {
      state.SkipWithError("the kernel refused to seal");
    }
    state.PauseTiming();
    Release(arena, blocks);
    state.ResumeTiming();
  }
}
BENCHMARK(Seal)->Arg(1)->Arg(16)->Arg(128)->Unit(benchmark::kMillisecond);

void VisitBlocks(benchmark::State& state) {
  Arena* const arena = Filled(state.range(0));
  const std::vector<void*> blocks = BlocksOf(arena);
  std::size_t count = 0;
  for (auto _ : state) {
    arena->VisitBlocks(
        LaneKind::kObjects,
        [](void* seen, void*, std::size_t) { return ++*static_cast<std::size_t*>(seen) != 0; },
        &count);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
  arena->Abandon();
  Release(arena, blocks);
}
BENCHMARK(VisitBlocks)->Arg(16)->Unit(benchmark::kMillisecond);

void CountPages(benchmark::State& state) {
  Arena* const arena = Filled(state.range(0));
  const std::vector<void*> blocks = BlocksOf(arena);
  arena->Seal();
  std::array<PageCounts, kLaneCount> counts{};
  for (auto _ : state) {
    if (arena->CountPages(&counts) != Status::kOk) {
      state.SkipWithError("the kernel does not tell");
    }
  }
  Release(arena, blocks);
}
BENCHMARK(CountPages)->Arg(16)->Arg(128)->Unit(benchmark::kMicrosecond);

// A free in a sealed arena is a count outside it.
void FreeInSealed(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    Arena* const arena = Filled(1);
    const std::vector<void*> blocks = BlocksOf(arena);
    arena->Seal();
    state.ResumeTiming();
    for (void* block : blocks) {
      FreeIfOurs(block);
    }
    state.PauseTiming();
    state.SetItemsProcessed(state.items_processed() + static_cast<std::int64_t>(blocks.size()));
    arena->DropHandle();
    state.ResumeTiming();
  }
}
BENCHMARK(FreeInSealed);

}  // namespace
}  // namespace frozen_arena

BENCHMARK_MAIN();
