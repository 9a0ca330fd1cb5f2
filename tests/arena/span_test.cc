// Blocks of middle size: what they cost, and that what is freed is used again.
#include "arena/span.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "arena/arena.h"
#include "tests/arena/child.h"

namespace frozen_arena {
namespace {

using testing::InChild;

struct Dropper {
  void operator()(Arena* arena) const { arena->DropHandle(); }
};
using ArenaOwner = std::unique_ptr<Arena, Dropper>;

std::set<void*> BlocksOf(Arena& arena) {
  std::set<void*> blocks;
  const auto take = [](void* context, void* block, std::size_t) {
    return static_cast<std::set<void*>*>(context)->insert(block).second;
  };
  EXPECT_TRUE(arena.VisitBlocks(LaneKind::kObjects, take, &blocks));
  return blocks;
}

TEST(SpanTest, ABlockOfMiddleSizeWastesAThirtySecondAtMost) {
  const ArenaOwner arena(Arena::Create({}));
  for (std::size_t size = SpanLane::kSmallest; size <= SpanLane::kLargest; ++size) {
    void* const block = arena->Allocate(LaneKind::kObjects, size);
    ASSERT_NE(block, nullptr);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U) << size;
    ASSERT_GE(arena->UsableSize(block), size);
    ASSERT_LE(arena->UsableSize(block) - size, std::max<std::size_t>(15, size / 32)) << size;
    ASSERT_EQ(FindArena(block), arena.get());
    std::memset(block, 1, arena->UsableSize(block));
    arena->Free(block);
  }
  EXPECT_TRUE(BlocksOf(*arena).empty());
}

TEST(SpanTest, BlocksKeepTheirContentAndNoTwoLieInOnePlace) {
  const ArenaOwner arena(Arena::Create({}));
  std::mt19937 random(7);
  std::map<char*, std::pair<std::size_t, char>> model;
  for (int step = 0; step < 60'000; ++step) {
    if (model.size() < 2000 || random() % 2 == 0) {
      const std::size_t size = 400 + random() % 4000;  // some of them mimalloc's
      const char fill = static_cast<char>(random());
      auto* const block = static_cast<char*>(arena->Allocate(LaneKind::kObjects, size));
      ASSERT_NE(block, nullptr);
      std::memset(block, fill, size);
      const auto next = model.lower_bound(block);
      ASSERT_TRUE(next == model.end() || block + size <= next->first);
      ASSERT_TRUE(next == model.begin() ||
                  std::prev(next)->first + std::prev(next)->second.first <= block);
      model[block] = {size, fill};
    } else {
      const auto victim = std::next(model.begin(), random() % model.size());
      const auto [size, fill] = victim->second;
      ASSERT_TRUE(std::all_of(victim->first, victim->first + size,
                              [fill = fill](char c) { return c == fill; }));
      arena->Free(victim->first);
      model.erase(victim);
    }
  }
  std::set<void*> expected;
  for (const auto& [block, what] : model) expected.insert(block);
  EXPECT_EQ(BlocksOf(*arena), expected);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (const auto& [block, what] : model) {
    EXPECT_EQ(block[0], what.second);
    EXPECT_EQ(block[what.first - 1], what.second);
  }
  for (const auto& [block, what] : model) arena->Free(block);
}

TEST(SpanTest, MemoryOfOneSizeServesAnotherWhenItIsFree) {
  const ArenaOwner arena(Arena::Create({}));
  std::size_t after_first = 0;
  for (std::size_t size = 600; size <= 4000; size += 200) {
    std::vector<void*> blocks;
    for (std::size_t bytes = 0; bytes < 8 * kMiB; bytes += size) {
      blocks.push_back(arena->Allocate(LaneKind::kObjects, size));
    }
    for (void* const block : blocks) arena->Free(block);
    if (after_first == 0) after_first = arena->stats().mapped_bytes;
  }
  EXPECT_LE(arena->stats().mapped_bytes, after_first + kMiB);
}

TEST(SpanTest, OneArenaAfterAnotherUsesTheSameAddresses) {
  std::set<std::uintptr_t> places;
  for (int i = 0; i < 200; ++i) {
    const ArenaOwner arena(Arena::Create({}));
    void* const middle = arena->Allocate(LaneKind::kObjects, 1000);
    void* const large = arena->Allocate(LaneKind::kObjects, 3 * kMiB + i % 7 * kMiB);
    places.insert(reinterpret_cast<std::uintptr_t>(middle));
    places.insert(reinterpret_cast<std::uintptr_t>(large));
    arena->Free(middle);
    arena->Free(large);
  }
  EXPECT_LE(*places.rbegin() - *places.begin(), 64 * kMiB);
}

TEST(SpanTest, TheSealGivesBackWhatHoldsNoBlock) {
  const ArenaOwner arena(Arena::Create({}));
  std::vector<void*> blocks;
  for (int i = 0; i < 4000; ++i) blocks.push_back(arena->Allocate(LaneKind::kPayload, 1000));
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (i % 400 != 0) arena->Free(blocks[i]);
  }
  ASSERT_EQ(arena->Seal(), Status::kOk);
  const LaneStats lane = arena->stats().lanes[1];
  EXPECT_EQ(lane.live_bytes, 10 * 1008U);
  EXPECT_LE(lane.live_bytes + lane.free_bytes, 10 * 2 * 4096U);
  EXPECT_EQ(lane.unsealed_bytes, 0U);
  EXPECT_EQ(arena->Audit(), nullptr);
  for (std::size_t i = 0; i < blocks.size(); i += 400) arena->Free(blocks[i]);
}

TEST(SpanTest, AChildSharesSealedSpansAndChangesItsOwnCopy) {
  const ArenaOwner arena(Arena::Create({}));
  std::vector<char*> blocks;
  for (int i = 0; i < 3000; ++i) {
    blocks.push_back(static_cast<char*>(arena->Allocate(LaneKind::kObjects, 2000)));
    std::memset(blocks.back(), i, 2000);
  }
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(InChild([&] {
              std::array<PageCounts, kLaneCount> counts{};
              int sum = 0;
              for (const char* const block : blocks) sum += block[1999];
              if (arena->CountPages(&counts) != Status::kOk) return 1;
              if (sum == 0 || counts[0].private_os_pages != 0) return 2;
              std::memset(blocks[1500], 'x', 2000);
              for (char* const block : blocks) arena->Free(block);
              return 0;
            }),
            0);
  EXPECT_EQ(blocks[1500][7], static_cast<char>(1500));
  for (char* const block : blocks) arena->Free(block);
}

}  // namespace
}  // namespace frozen_arena
