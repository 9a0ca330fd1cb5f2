// Blocks on runs of OS pages: what they cost, that what is freed is used again, and that thousands
// of them need neither descriptors nor mappings.
#include "arena/run.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "arena/arena.h"
#include "arena/os_memory.h"
#include "arena/units.h"
#include "tests/arena/child.h"
#include "tests/arena/kernel.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::MemoryOfThisProcess;

struct Dropper {
  void operator()(Arena* arena) const { arena->DropHandle(); }
};
using ArenaOwner = std::unique_ptr<Arena, Dropper>;

char* Make(Arena& arena, std::size_t size, char fill) {
  void* const block = arena.Allocate(LaneKind::kPayload, size);
  return block == nullptr ? nullptr : static_cast<char*>(std::memset(block, fill, size));
}

bool Holds(const char* block, std::size_t size, char fill) {
  return std::all_of(block, block + size, [fill](char c) { return c == fill; });
}

std::set<void*> BlocksOf(Arena& arena) {
  std::set<void*> blocks;
  const auto take = [](void* context, void* block, std::size_t) {
    return static_cast<std::set<void*>*>(context)->insert(block).second;
  };
  EXPECT_TRUE(arena.VisitBlocks(LaneKind::kPayload, take, &blocks));
  return blocks;
}

std::size_t Descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::size_t Mappings() {
  std::ifstream lines("/proc/self/maps");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(lines), {}, '\n'));
}

TEST(RunTest, ABlockHasAsManyOsPagesAsItNeeds) {
  const ArenaOwner arena(Arena::Create({}));
  for (std::size_t size = RunLane::kSmallest; size <= RunLane::kLargest; size = size * 9 / 8) {
    char* const block = Make(*arena, size, 'x');
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(arena->UsableSize(block), RoundUp(size, os::PageSize()));
    EXPECT_EQ(FindArena(block + size - 1), arena.get());
    EXPECT_EQ(arena->LaneOf(block + size - 1), LaneKind::kPayload);
  }
}

TEST(RunTest, BlocksKeepTheirContentAndNoTwoLieInOnePlace) {
  const ArenaOwner arena(Arena::Create({}));
  std::mt19937 random(11);
  std::map<char*, std::pair<std::size_t, char>> model;
  const auto place = [&](char* block, std::size_t size, char fill) {
    const auto next = model.lower_bound(block);
    ASSERT_TRUE(next == model.end() || block + size <= next->first);
    ASSERT_TRUE(next == model.begin() ||
                std::prev(next)->first + std::prev(next)->second.first <= block);
    std::memset(block, fill, size);
    model[block] = {size, fill};
  };
  for (int step = 0; step < 4000; ++step) {
    const std::size_t size = 20 * kKiB + random() % (300 * kKiB);  // some of them mimalloc's
    const char fill = static_cast<char>(random());
    if (model.size() < 100 || random() % 3 == 0) {
      auto* const block = static_cast<char*>(arena->Allocate(LaneKind::kPayload, size));
      ASSERT_NE(block, nullptr);
      ASSERT_NO_FATAL_FAILURE(place(block, size, fill));
      continue;
    }
    const auto victim = std::next(model.begin(), static_cast<long>(random() % model.size()));
    const auto [block, what] = *victim;
    ASSERT_TRUE(Holds(block, what.first, what.second));
    model.erase(victim);
    if (random() % 2 == 0) {
      arena->Free(block);
    } else if (arena->ResizeInPlace(block, size)) {
      ASSERT_TRUE(Holds(block, std::min(size, what.first), what.second));
      ASSERT_GE(arena->UsableSize(block), size);
      ASSERT_NO_FATAL_FAILURE(place(block, size, fill));
    } else {
      model[block] = what;
    }
  }
  std::set<void*> expected;
  for (const auto& [block, what] : model) expected.insert(block);
  EXPECT_EQ(BlocksOf(*arena), expected);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (const auto& [block, what] : model) EXPECT_TRUE(Holds(block, what.first, what.second));
  EXPECT_EQ(arena->Audit(), nullptr);
  for (const auto& [block, what] : model) arena->Free(block);
}

TEST(RunTest, ThousandsOfBlocksNeedFewDescriptorsAndFewMappings) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer maps memory of its own, and needs address space";
#endif
  EXPECT_EQ(InChild([] {
              const std::size_t descriptors = Descriptors();
              const std::size_t mappings = Mappings();
              const ArenaOwner arena(Arena::Create({}));
              for (int i = 0; i < 3000; ++i) {
                void* const block = arena->Allocate(LaneKind::kPayload, 600'000);
                if (block == nullptr) return 1;
                std::memset(block, 'm', 10);
              }
              if (Descriptors() > descriptors + 8) return 2;
              if (Mappings() > mappings + 24) return 3;
              if (arena->Seal() != Status::kOk) return 4;
              if (Mappings() > mappings + 32) return 5;
              if (arena->stats().lanes[1].unsealed_bytes != 0) return 6;
              return Descriptors() == descriptors ? 0 : 7;
            }),
            0);
}

TEST(RunTest, WhatIsFreedServesBlocksOfOtherSizes) {
  const ArenaOwner arena(Arena::Create({}));
  std::vector<void*> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(Make(*arena, kMiB, 'a'));
  const std::size_t mapped = arena->stats().mapped_bytes;
  for (void* const block : blocks) arena->Free(block);
  for (int i = 0; i < 8; ++i) ASSERT_NE(Make(*arena, 7 * kMiB, 'b'), nullptr);
  for (int i = 0; i < 100; ++i) ASSERT_NE(Make(*arena, 70 * kKiB, 'c'), nullptr);
  EXPECT_EQ(arena->stats().mapped_bytes, mapped);
}

TEST(RunTest, ABlockGrowsWhereNothingFollowsAndWhatItGivesUpServesOthers) {
  const ArenaOwner arena(Arena::Create({}));
  char* const first = Make(*arena, kMiB, '1');
  ASSERT_TRUE(arena->ResizeInPlace(first, 3 * kMiB));
  std::memset(first, '3', 3 * kMiB);
  char* const second = Make(*arena, kMiB, '2');
  EXPECT_EQ(second, first + 3 * kMiB);
  EXPECT_FALSE(arena->ResizeInPlace(first, 3 * kMiB + 1));
  EXPECT_FALSE(arena->ResizeInPlace(first, kMiB));  // less than half: it had better move
  ASSERT_TRUE(arena->ResizeInPlace(first, 2 * kMiB));
  EXPECT_EQ(Make(*arena, kMiB, '4'), first + 2 * kMiB);
  EXPECT_FALSE(arena->ResizeInPlace(second, 100 * kMiB));
  EXPECT_TRUE(Holds(first, 2 * kMiB, '3'));
  EXPECT_TRUE(Holds(second, kMiB, '2'));
}

TEST(RunTest, WithoutMemoryNothingIsTakenHoweverOftenOneAsks) {
  EXPECT_EQ(InChild([] {
              ArenaOptions options;
              options.limit = Bytes(8 * kMiB);
              const ArenaOwner arena(Arena::Create(options));
              while (Make(*arena, kMiB, 'l') != nullptr) {
              }
              // From here on, looking needs no memory either.
              if (Mappings() == 0 || Descriptors() == 0) return 1;
              const std::size_t mappings = Mappings();
              const std::size_t descriptors = Descriptors();
              for (int i = 0; i < 1000; ++i) {
                if (Make(*arena, 2 * kMiB, 'l') != nullptr) return 1;
              }
              if (Mappings() != mappings) return 2;
              return Descriptors() == descriptors ? 0 : 3;
            }),
            0);
}

TEST(RunTest, WhatIsFreeAtTheEndOfAPoolGoesBackToTheSystemAndToTheLimit) {
  if (!testing::kMemoryIsTold) GTEST_SKIP() << "the shadow of the sanitizer counts as memory";
  for (const bool forked : {false, true}) {
    EXPECT_EQ(InChild([forked] {
                ArenaOptions options;
                options.limit = Bytes(300 * kMiB);
                const ArenaOwner arena(Arena::Create(options));
                const std::size_t before = MemoryOfThisProcess();
                for (int round = 0; round < 8; ++round) {
                  std::vector<void*> blocks;
                  for (int i = 0; i < 23; ++i) blocks.push_back(Make(*arena, 10 * kMiB, 'e'));
                  if (blocks.back() == nullptr) return 1;
                  if (forked && round == 0 && InChild([] { return 0; }) != 0) return 2;
                  for (void* const block : blocks) arena->Free(block);
                  if (arena->stats().mapped_bytes > 130 * kMiB) return 3;
                  if (MemoryOfThisProcess() > before + 140 * kMiB) return 4;
                }
                char* const kept = Make(*arena, 10 * kMiB, 'k');
                if (arena->Allocate(LaneKind::kObjects, 100) == nullptr) return 5;
                if (arena->Seal() != Status::kOk || arena->Audit() != nullptr) return 6;
                const LaneStats lane = arena->stats().lanes[1];
                if (lane.mapped_bytes != lane.live_bytes + lane.free_bytes + lane.punched_bytes)
                  return 7;
                return Holds(kept, 10 * kMiB, 'k') ? 0 : 8;
              }),
              0)
        << (forked ? "after a fork in the block" : "without a fork");
  }
}

TEST(RunTest, TheSealGivesBackWhatHoldsNoBlock) {
  const ArenaOwner arena(Arena::Create({}));
  std::vector<char*> blocks;
  for (int i = 0; i < 400; ++i) blocks.push_back(Make(*arena, 100 * kKiB, 'p'));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 4 != 0) arena->Free(blocks[i]);
  }
  ASSERT_EQ(arena->Seal(), Status::kOk);
  const LaneStats lane = arena->stats().lanes[1];
  EXPECT_EQ(lane.live_bytes, 100 * 100 * kKiB);
  EXPECT_LT(lane.free_bytes, kMiB);
  EXPECT_EQ(lane.mapped_bytes, lane.live_bytes + lane.free_bytes + lane.punched_bytes);
  for (std::size_t i = 0; i < blocks.size(); i += 4) EXPECT_TRUE(Holds(blocks[i], 100 * kKiB, 'p'));
}

}  // namespace
}  // namespace frozen_arena
