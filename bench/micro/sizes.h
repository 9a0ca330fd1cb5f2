// What both programs allocate: batches of one size, in the sizes that Python asks for.
#ifndef FROZEN_ARENA_BENCH_MICRO_SIZES_H_
#define FROZEN_ARENA_BENCH_MICRO_SIZES_H_

#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

namespace frozen_arena {

inline constexpr std::size_t kBatch = 10000;  // pausing the clock costs microseconds: once a batch

inline void Sizes(benchmark::internal::Benchmark* one) {
  for (const int size : {32, 64, 200, 1000, 4096}) {
    one->Arg(size);
  }
}

// Times `allocate` alone; `free` gives everything back between two batches.
template <typename Allocate, typename Free>
void TimeAllocate(benchmark::State& state, Allocate allocate, Free free) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<void*> blocks(kBatch);
  for (auto _ : state) {
    for (void*& block : blocks) {
      block = allocate(size);
    }
    benchmark::DoNotOptimize(blocks.data());
    state.PauseTiming();
    for (void* block : blocks) {
      free(block);
    }
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}

// Times `free` alone.
template <typename Allocate, typename Free>
void TimeFree(benchmark::State& state, Allocate allocate, Free free) {
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<void*> blocks(kBatch);
  for (auto _ : state) {
    state.PauseTiming();
    for (void*& block : blocks) {
      block = allocate(size);
    }
    state.ResumeTiming();
    for (void* block : blocks) {
      free(block);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
}

// Times growing a block from 32 bytes to `range(0)`, doubling, as a list does.
template <typename Allocate, typename Reallocate, typename Free>
void TimeGrow(benchmark::State& state, Allocate allocate, Reallocate reallocate, Free free) {
  const auto last = static_cast<std::size_t>(state.range(0));
  std::int64_t steps = 0;
  for (auto _ : state) {
    std::size_t size = 32;
    void* block = allocate(size);
    while (size < last) {
      size *= 2;
      block = reallocate(block, size);
      ++steps;
    }
    benchmark::DoNotOptimize(block);
    free(block);
  }
  state.SetItemsProcessed(steps);
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_BENCH_MICRO_SIZES_H_
