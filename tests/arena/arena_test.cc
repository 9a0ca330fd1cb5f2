// What an arena promises, from allocation to the seal and after it.
#include "arena/arena.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "arena/address_map.h"
#include "arena/segment.h"
#include "arena/track.h"
#include "tests/arena/child.h"
#include "tests/arena/kernel.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::InChildWithFaults;
using testing::MemoryOfThisProcess;

struct Dropper {
  void operator()(Arena* arena) const { arena->DropHandle(); }
};
using ArenaOwner = std::unique_ptr<Arena, Dropper>;

ArenaOwner MakeArena(const ArenaOptions& options = {}) {
  return ArenaOwner(Arena::Create(options));
}

char* Make(Arena& arena, std::size_t size, char fill, LaneKind lane = LaneKind::kObjects) {
  char* const block = static_cast<char*>(arena.Allocate(lane, size));
  if (block != nullptr) std::memset(block, fill, size);
  return block;
}

std::size_t PrivateOsPages(const Arena& arena) {
  std::array<PageCounts, kLaneCount> counts{};
  EXPECT_EQ(arena.CountPages(&counts), Status::kOk);
  return counts[0].private_os_pages + counts[1].private_os_pages;
}

TEST(ArenaTest, BlocksAreAlignedAndKnownByAddress) {
  const ArenaOwner arena = MakeArena();
  for (const std::size_t size :
       {1UL, 8UL, 16UL, 24UL, 40UL, 100UL, 512UL, 5000UL, 100000UL, 3000000UL}) {
    void* const block = arena->Allocate(LaneKind::kObjects, size);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U) << size;
    EXPECT_GE(arena->UsableSize(block), size);
    EXPECT_EQ(FindArena(block), arena.get());
    EXPECT_EQ(arena->LaneOf(block), LaneKind::kObjects);
  }
}

TEST(ArenaTest, AddressesOfOthersBelongToNobody) {
  const ArenaOwner arena = MakeArena();
  ASSERT_NE(Make(*arena, 100, 'x'), nullptr);
  int local = 0;
  EXPECT_EQ(FindArena(&local), nullptr);
  EXPECT_EQ(FindArena(nullptr), nullptr);
  EXPECT_EQ(FindArena(reinterpret_cast<void*>(~std::uintptr_t{0})), nullptr);
}

TEST(ArenaTest, ReusedObjectBlocksShowNoStaleHeader) {
  const ArenaOwner arena = MakeArena();
  for (int round = 0; round < 1000; ++round) {
    char* const block = static_cast<char*>(arena->Allocate(LaneKind::kObjects, 64));
    for (std::size_t i = 0; i < Arena::kZeroedHead; ++i) ASSERT_EQ(block[i], 0);
    std::memset(block, 0x7f, 64);
    arena->Free(block);
  }
}

TEST(ArenaTest, EachLiveBlockIsVisitedOnce) {
  const ArenaOwner arena = MakeArena();
  std::vector<void*> kept;
  for (int i = 0; i < 20000; ++i) {
    void* const block = Make(*arena, 16 + static_cast<std::size_t>(i % 700), 'v');
    if (i % 3 == 0) {
      arena->Free(block);
    } else {
      kept.push_back(block);
    }
  }
  kept.push_back(Make(*arena, 2 * kMiB, 'l'));
  std::vector<void*> seen;
  EXPECT_TRUE(arena->VisitBlocks(
      LaneKind::kObjects,
      [](void* context, void* block, std::size_t) {
        static_cast<std::vector<void*>*>(context)->push_back(block);
        return true;
      },
      &seen));
  std::sort(kept.begin(), kept.end());
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(kept, seen);
}

TEST(ArenaTest, ASealedArenaIsReadByAChildWithoutACopy) {
  const ArenaOwner arena = MakeArena();
  std::vector<char*> blocks;
  for (int i = 0; i < 200000; ++i) blocks.push_back(Make(*arena, 100, static_cast<char>(i)));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(InChild([&] {
              for (int i = 0; i < 200000; ++i) {
                if (blocks[static_cast<std::size_t>(i)][99] != static_cast<char>(i)) return 1;
              }
              return PrivateOsPages(*arena) == 0 ? 0 : 2;
            }),
            0);
  EXPECT_EQ(PrivateOsPages(*arena), 0U);
}

TEST(ArenaTest, AChildsWriteIsItsOwnAndThePristineCopyStays) {
  const ArenaOwner arena = MakeArena();
  char* const block = Make(*arena, 100, 'a');
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(InChild([&] {
              block[0] = 'b';
              if (*static_cast<const char*>(arena->Pristine(block)) != 'a') return 1;
              return PrivateOsPages(*arena) == 1 ? 0 : 2;
            }),
            0);
  EXPECT_EQ(block[0], 'a');
}

TEST(ArenaTest, FreeingAfterTheSealWritesNothing) {
  const ArenaOwner arena = MakeArena();
  std::vector<char*> blocks;
  for (int i = 0; i < 50000; ++i) blocks.push_back(Make(*arena, 64, 'f'));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (std::size_t i = 1; i < blocks.size(); ++i) arena->Free(blocks[i]);
  EXPECT_EQ(PrivateOsPages(*arena), 0U);
  EXPECT_EQ(arena->stats().live_blocks, 1U);
  EXPECT_EQ(blocks[0][0], 'f');
}

TEST(ArenaTest, TheMemoryGoesBackWithTheLastBlock) {
  const ArenaOwner arena = MakeArena();
  char* const small = Make(*arena, 64, 's');
  char* const large = Make(*arena, 4 * kMiB, 'l', LaneKind::kPayload);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  arena->Free(small);
  EXPECT_EQ(arena->state(), ArenaState::kSealed);
  arena->Free(large);
  EXPECT_EQ(arena->state(), ArenaState::kReleased);
  EXPECT_EQ(FindArena(small), nullptr);
  EXPECT_EQ(FindArena(large), nullptr);
}

TEST(ArenaTest, AnAbandonedArenaLivesOnUntilItsLastBlockIsFreed) {
  const ArenaOwner arena = MakeArena();
  char* const first = Make(*arena, 64, '1');
  char* const second = Make(*arena, 64, '2');
  ASSERT_EQ(arena->Abandon(), Status::kOk);
  EXPECT_EQ(arena->Allocate(LaneKind::kObjects, 64), nullptr);
  arena->Free(first);
  EXPECT_EQ(second[63], '2');
  second[0] = 'x';
  arena->Free(second);
  EXPECT_EQ(arena->state(), ArenaState::kReleased);
}

TEST(ArenaTest, OnlyLegalMovesAreMade) {
  const ArenaOwner arena = MakeArena();
  ASSERT_NE(Make(*arena, 64, 'x'), nullptr);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(arena->Seal(), Status::kWrongState);
  EXPECT_EQ(arena->Abandon(), Status::kWrongState);
}

TEST(ArenaTest, TheLimitTurnsAllocationsAwayAndCountsThem) {
  ArenaOptions options;
  options.limit = Bytes(8 * kMiB);
  const ArenaOwner arena = MakeArena(options);
  std::size_t taken = 0;
  while (Make(*arena, 1000, 'l') != nullptr) ++taken;
  EXPECT_GT(taken, 6000U);
  EXPECT_LT(taken, 9000U);
  EXPECT_EQ(Make(*arena, 20 * kMiB, 'l'), nullptr);
  const ArenaStats stats = arena->stats();
  EXPECT_EQ(stats.overflow_blocks, 2U);
  EXPECT_EQ(arena->Seal(), Status::kOk);
}

TEST(ArenaTest, LargeBlocksGrowInPlaceAndKeepTheirContent) {
  const ArenaOwner arena = MakeArena();
  char* const block = Make(*arena, 40 * kMiB, 'g', LaneKind::kPayload);
  ASSERT_TRUE(arena->ResizeInPlace(block, 80 * kMiB));
  std::memset(block + 40 * kMiB, 'h', 40 * kMiB);
  EXPECT_FALSE(arena->ResizeInPlace(block, 100 * kMiB));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(block[0], 'g');
  EXPECT_EQ(block[80 * kMiB - 1], 'h');
  EXPECT_EQ(arena->stats().lanes[1].live_bytes, 80 * kMiB);
}

TEST(ArenaTest, SealedBlockShrinksInPlaceAndASmallOneMoves) {
  const ArenaOwner arena = MakeArena();
  char* const small = Make(*arena, 40, 's', LaneKind::kPayload);
  char* const big = Make(*arena, 50'000, 'b', LaneKind::kPayload);
  EXPECT_TRUE(arena->ResizeInPlace(small, arena->UsableSize(small)));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_FALSE(arena->ResizeInPlace(small, arena->UsableSize(small)));
  EXPECT_FALSE(arena->ResizeInPlace(small, arena->UsableSize(small) / 2));
  EXPECT_FALSE(arena->ResizeInPlace(big, arena->UsableSize(big) + 1));
  EXPECT_TRUE(arena->ResizeInPlace(big, arena->UsableSize(big)));
  EXPECT_TRUE(arena->ResizeInPlace(big, 1));
}

TEST(ArenaTest, DeadTemporariesAreGivenBackAtTheSeal) {
  const ArenaOwner arena = MakeArena();
  std::vector<void*> temporaries;
  std::vector<void*> kept;
  for (int i = 0; i < 40000; ++i) temporaries.push_back(Make(*arena, 1000, 't'));
  for (int i = 0; i < 1000; ++i) kept.push_back(Make(*arena, 1000, 'k'));
  for (void* const block : temporaries) arena->Free(block);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  const LaneStats lane = arena->stats().lanes[0];
  EXPECT_LT(lane.live_bytes + lane.free_bytes, 3 * kMiB);
  EXPECT_EQ(lane.mapped_bytes, lane.live_bytes + lane.free_bytes + lane.punched_bytes);
  EXPECT_EQ(arena->stats().live_blocks, 1000U);
  EXPECT_EQ(static_cast<char*>(kept[999])[999], 'k');
  EXPECT_EQ(arena->Audit(), nullptr);
}

TEST(ArenaTest, AnEmptyArenaCostsNothingAfterTheSeal) {
  const ArenaOwner arena = MakeArena();
  arena->Free(Make(*arena, 5000, 'e'));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(arena->stats().mapped_bytes, 0U);
}

const Track* TrackOf(const void* block) {
  const Region* const region = AddressMap::Find(reinterpret_cast<std::uintptr_t>(block));
  return region->kind == RegionKind::kSegment ? static_cast<const Segment*>(region)->track()
                                              : nullptr;
}

TEST(ArenaTest, OneArenaGrowsOverSeveralTracks) {
  const ArenaOwner arena = MakeArena();
  std::vector<char*> blocks;
  std::set<const Track*> tracks;
  for (std::size_t i = 0; i < 6000; ++i) {
    blocks.push_back(Make(*arena, 30 * kKiB, static_cast<char>(i), LaneKind::kPayload));
    ASSERT_NE(blocks.back(), nullptr);
    tracks.insert(TrackOf(blocks.back()));
  }
  EXPECT_EQ(tracks.size(), 2U);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (std::size_t i = 0; i < 6000; ++i) EXPECT_EQ(blocks[i][0], static_cast<char>(i));
  EXPECT_EQ(arena->stats().overflow_blocks, 0U);
}

// A thread's theap fills a slice of the track. It may be one that was mapped ahead for a huge page,
// or that held blocks once.
void ManyThreadsFillOneTrack(HugePages wish) {
  ArenaOptions options;
  options.huge_pages = wish;
  const ArenaOwner arena = MakeArena(options);
  std::mutex turn;  // what the GIL is to the interpreter
  std::set<const Track*> tracks;
  std::vector<char*> blocks;
  std::vector<std::thread> threads;
  for (int number = 0; number < 6; ++number) {
    threads.emplace_back([&, number] {
      for (int part = 0; part < 50; ++part) {
        const std::lock_guard<std::mutex> lock(turn);
        std::vector<char*> temporary;
        for (int i = 0; i < 300; ++i) {
          blocks.push_back(Make(*arena, 400, static_cast<char>(number)));
          temporary.push_back(Make(*arena, 500, 't'));
        }
        for (char* const block : temporary) arena->Free(block);
        tracks.insert(TrackOf(blocks.back()));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(tracks.size(), 1U);
  EXPECT_EQ(arena->stats().overflow_blocks, 0U);
  EXPECT_EQ(arena->Audit(), nullptr);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  std::array<std::size_t, 6> count{};
  for (const char* const block : blocks) {
    ASSERT_TRUE(std::all_of(block, block + 400, [block](char c) { return c == block[0]; }));
    ++count.at(static_cast<std::size_t>(block[0]));
  }
  for (const std::size_t one : count) EXPECT_EQ(one, 50U * 300U);
  EXPECT_EQ(arena->Audit(), nullptr);
}

TEST(ArenaTest, ManyThreadsFillOneTrack) { ManyThreadsFillOneTrack(HugePages::kAuto); }
TEST(ArenaTest, ManyThreadsFillOneTrackOfUsualOsPages) {
  ManyThreadsFillOneTrack(HugePages::kNever);
}
TEST(ArenaTest, ManyThreadsFillOneTrackOfReservedAddresses) {
  EXPECT_EQ(InChildWithFaults("no_preferred",
                              [] {
                                ManyThreadsFillOneTrack(HugePages::kAuto);
                                return ::testing::Test::HasFailure() ? 1 : 0;
                              }),
            0);
}

// What survives an abandoned arena keeps it alive; its other slices serve the next.
int AbandonedArenasGiveUpWhatDies() {
  std::set<const Track*> tracks;
  std::vector<ArenaOwner> abandoned;
  std::vector<char*> survivors;
  for (int round = 0; round < 60; ++round) {
    abandoned.push_back(MakeArena());
    Arena& arena = *abandoned.back();
    std::vector<char*> blocks;
    for (int i = 0; i < 4000; ++i) blocks.push_back(Make(arena, 400, static_cast<char>(round)));
    tracks.insert(TrackOf(blocks[0]));
    if (arena.Abandon() != Status::kOk) return 1;
    for (std::size_t i = 1; i < blocks.size(); ++i) arena.Free(blocks[i]);
    survivors.push_back(blocks[0]);
    const ArenaOwner sealed = MakeArena();
    char* const kept = Make(*sealed, 400, 's');
    if (sealed->Seal() != Status::kOk || sealed->stats().overflow_blocks != 0) return 2;
    sealed->Free(kept);
  }
  if (tracks.size() > 2) return 3;
  for (std::size_t i = 0; i < survivors.size(); ++i) {
    if (survivors[i][0] != static_cast<char>(i) || survivors[i][399] != static_cast<char>(i))
      return 4;
    abandoned[i]->Free(survivors[i]);
  }
  return 0;
}

TEST(ArenaTest, AbandonedArenasGiveUpWhatDies) {
  EXPECT_EQ(AbandonedArenasGiveUpWhatDies(), 0);
  EXPECT_EQ(InChildWithFaults("no_preferred", &AbandonedArenasGiveUpWhatDies), 0);
}

TEST(ArenaTest, AThousandSealedArenasKeepTheirDataApart) {
  std::vector<ArenaOwner> arenas;
  std::vector<char*> blocks;
  for (int i = 0; i < 1000; ++i) {
    arenas.push_back(MakeArena());
    blocks.push_back(Make(*arenas.back(), 100, static_cast<char>(i)));
    ASSERT_NE(blocks.back(), nullptr) << i;
    ASSERT_EQ(arenas.back()->Seal(), Status::kOk);
  }
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(FindArena(blocks[i]), arenas[i].get());
    EXPECT_EQ(blocks[i][99], static_cast<char>(i));
    EXPECT_EQ(PrivateOsPages(*arenas[i]), 0U);
    arenas[i]->Free(blocks[i]);
  }
}

TEST(ArenaTest, ReleasedMemoryServesTheNextArena) {
  for (int round = 0; round < 300; ++round) {
    const ArenaOwner arena = MakeArena();
    std::vector<void*> blocks;
    for (int i = 0; i < 20; ++i) blocks.push_back(Make(*arena, 100 * kKiB, 'r'));
    ASSERT_EQ(arena->stats().overflow_blocks, 0U) << round;
    ASSERT_EQ(arena->Seal(), Status::kOk);
    for (void* const block : blocks) arena->Free(block);
  }
}

// Its memory lies in files that are open: nothing but the survivors may be left there.
TEST(ArenaTest, AnAbandonedArenaKeepsTheMemoryOfItsSurvivorsOnly) {
  if (!testing::kMemoryIsTold) GTEST_SKIP() << "the shadow of the sanitizer counts as memory";
  EXPECT_EQ(InChild([] {
              const ArenaOwner arena = MakeArena();
              std::vector<char*> blocks;
              for (int i = 0; i < 20000; ++i) {
                blocks.push_back(Make(*arena, 400, 'a'));
                blocks.push_back(Make(*arena, 2000, 'a'));
                if (i % 500 == 0) blocks.push_back(Make(*arena, kMiB, 'a'));
              }
              const std::size_t before = MemoryOfThisProcess();
              if (before < 80 * kMiB || arena->Abandon() != Status::kOk) return 1;
              for (std::size_t i = 0; i < blocks.size(); ++i) {
                if (i != 5000) arena->Free(blocks[i]);
              }
              // A slice, huge pages of what is not empty, and what holds the blocks together.
              if (MemoryOfThisProcess() > before - 70 * kMiB) return 2;
              return blocks[5000][0] == 'a' ? 0 : 3;
            }),
            0);
}

// A thread hands over what it has built when it ends, which nobody waits for: its blocks are walked
// over and sealed meanwhile.
TEST(ArenaTest, ThreadsMayEndWhileTheirBlocksAreWalkedOver) {
  constexpr int kThreads = 8;
  for (int round = 0; round < 40; ++round) {
    const ArenaOwner arena = MakeArena();
    std::vector<char*> kept;
    std::mutex turn;  // what the GIL is to the interpreter
    std::atomic<int> built{0};
    std::atomic<bool> end{false};
    std::vector<std::thread> builders;
    for (int number = 0; number < kThreads; ++number) {
      builders.emplace_back([&] {
        {
          const std::lock_guard<std::mutex> lock(turn);
          std::vector<char*> dropped;
          for (int i = 0; i < 20000; ++i)
            (i % 2 == 0 ? kept : dropped).push_back(Make(*arena, 64, 'w'));
          for (char* const block : dropped) arena->Free(block);
        }
        ++built;
        end.wait(false);
      });
    }
    while (built < kThreads) std::this_thread::yield();
    end = true;
    end.notify_all();
    for (int walk = 0; walk < 4; ++walk) {
      std::size_t seen = 0;
      const auto count = [](void* context, void*, std::size_t) {
        ++*static_cast<std::size_t*>(context);
        return true;
      };
      ASSERT_TRUE(arena->VisitBlocks(LaneKind::kObjects, count, &seen));
      ASSERT_EQ(seen, kept.size());
    }
    ASSERT_EQ(arena->Seal(), Status::kOk);
    ASSERT_EQ(arena->stats().lanes[0].live_bytes, kept.size() * 64);
    for (std::thread& builder : builders) builder.join();
    for (char* const block : kept) {
      ASSERT_TRUE(std::all_of(block, block + 64, [](char c) { return c == 'w'; }));
      arena->Free(block);
    }
  }
}

TEST(ArenaTest, AThreadThatEndsWaitsForAWalkOverItsBlocks) {
  const ArenaOwner arena = MakeArena();
  struct Walk {
    std::atomic<pid_t> thread{0};
    std::atomic<bool> end{false};
    bool waited = false;
  } walk;
  std::thread builder([&] {
    Make(*arena, 64, 'w');
    walk.thread = ::gettid();
    while (!walk.end) std::this_thread::yield();  // never asleep, until it has to wait
  });
  while (walk.thread == 0) std::this_thread::yield();
  const auto visit = [](void* context, void*, std::size_t) {
    auto* const at = static_cast<Walk*>(context);
    at->end = true;
    const std::string place = "/proc/self/task/" + std::to_string(at->thread) + "/stat";
    for (;;) {
      std::string number, name, state;
      if (!(std::ifstream(place) >> number >> name >> state)) return true;  // it has ended
      if (state == "S") return at->waited = true;
      std::this_thread::yield();
    }
  };
  EXPECT_TRUE(arena->VisitBlocks(LaneKind::kObjects, visit, &walk));
  EXPECT_TRUE(walk.waited);
  builder.join();
}

// mimalloc uses what it kept of one thread for the next.
TEST(ArenaTest, ThreadsMayBeginAndBuildWhileOthersEnd) {
  std::mutex turn;
  std::vector<std::thread> starters;
  for (int number = 0; number < 4; ++number) {
    starters.emplace_back([&] {
      for (int round = 0; round < 1500; ++round) {
        std::thread([&] {
          const std::lock_guard<std::mutex> lock(turn);
          const ArenaOwner arena = MakeArena();
          char* const block = Make(*arena, 100, 'b');
          arena->Seal();
          arena->Free(block);
        }).join();
      }
    });
  }
  for (std::thread& starter : starters) starter.join();
}

TEST(ArenaTest, AThreadThatNeverAllocatedMaySealAndOthersMayEndAfterwards) {
  for (int round = 0; round < 4; ++round) {
    const ArenaOwner arena = MakeArena();
    std::vector<char*> blocks;
    std::atomic<int> step{0};
    std::thread builder([&] {
      for (int i = 0; i < 500; ++i) blocks.push_back(Make(*arena, 48, static_cast<char>(i)));
      step.store(1);
      step.notify_all();
      step.wait(1);
    });
    step.wait(0);
    EXPECT_EQ(arena->Seal(), Status::kOk);
    step.store(2);
    step.notify_all();
    builder.join();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_EQ(blocks[i][47], static_cast<char>(i));
      arena->Free(blocks[i]);
    }
    EXPECT_EQ(arena->state(), ArenaState::kReleased);
  }
}

TEST(ArenaTest, RandomOperationsKeepEveryByte) {
  std::mt19937 random(20260101);
  const ArenaOwner arena = MakeArena();
  struct Block {
    char* address;
    std::size_t size;
    char fill;
  };
  std::vector<Block> blocks;
  const auto whole = [](const Block& block) {
    for (std::size_t i = 0; i < block.size; i += 97) {
      if (block.address[i] != block.fill) return false;
    }
    return block.address[block.size - 1] == block.fill;
  };
  for (int step = 0; step < 100000; ++step) {
    if (blocks.empty() || random() % 5 < 3) {
      const std::size_t size =
          random() % 50 == 0 ? 1 + random() % (900 * kKiB) : 1 + random() % 600;
      const char fill = static_cast<char>(random());
      const LaneKind lane = random() % 2 == 0 ? LaneKind::kObjects : LaneKind::kPayload;
      blocks.push_back({Make(*arena, size, fill, lane), size, fill});
      ASSERT_NE(blocks.back().address, nullptr);
    } else {
      const std::size_t index = random() % blocks.size();
      ASSERT_TRUE(whole(blocks[index]));
      arena->Free(blocks[index].address);
      blocks[index] = blocks.back();
      blocks.pop_back();
    }
  }
  ASSERT_EQ(arena->Audit(), nullptr);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (const Block& block : blocks) ASSERT_TRUE(whole(block));
  ASSERT_EQ(arena->Audit(), nullptr);
  ASSERT_EQ(PrivateOsPages(*arena), 0U);
}

}  // namespace
}  // namespace frozen_arena
