// What sealed arenas say of themselves: every block is in it, at its beginning and with its size.
#include "arena/directory.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "arena/arena.h"
#include "arena/os_memory.h"

namespace frozen_arena {
namespace {

struct Dropper {
  void operator()(Arena* arena) const { arena->DropHandle(); }
};
using ArenaOwner = std::unique_ptr<Arena, Dropper>;

template <typename T>
const T* At(std::uint64_t address) {
  return reinterpret_cast<const T*>(address);  // NOLINT(performance-no-int-to-ptr)
}

const DirectoryRoot& Root() { return *At<DirectoryRoot>(AddressOfDirectory()); }

struct Block {
  std::uintptr_t begin;
  std::size_t size;
  std::size_t lane;
};

std::vector<Block> Fill(Arena& arena, std::size_t count) {
  std::vector<Block> blocks;
  std::mt19937 random(5);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = i % 500 == 0 ? 100'000 + random() % 100'000 : 16 + random() % 5000;
    const auto lane = static_cast<LaneKind>(i % kLaneCount);
    void* const block = arena.Allocate(lane, size);
    EXPECT_NE(block, nullptr);
    std::memset(block, static_cast<int>(i), size);
    blocks.push_back({reinterpret_cast<std::uintptr_t>(block), size, i % kLaneCount});
  }
  return blocks;
}

const DirectoryExtent* ExtentAt(const DirectoryEntry& entry, std::uintptr_t address) {
  const std::span extents(At<DirectoryExtent>(entry.extents), entry.extent_count);
  const auto found = std::find_if(extents.begin(), extents.end(), [&](const auto& extent) {
    return address >= extent.address && address < extent.address + extent.size;
  });
  return found == extents.end() ? nullptr : &*found;
}

const DirectoryArea* AreaAt(const DirectoryEntry& entry, std::uintptr_t address) {
  const std::span areas(At<DirectoryArea>(entry.areas), entry.area_count);
  const auto found = std::find_if(areas.begin(), areas.end(), [&](const auto& area) {
    return address >= area.begin && address < area.begin + area.size;
  });
  return found == areas.end() ? nullptr : &*found;
}

void ExpectNamed(const DirectoryEntry& entry, const Block& block) {
  const DirectoryExtent* const extent = ExtentAt(entry, block.begin);
  ASSERT_NE(extent, nullptr);
  EXPECT_EQ(extent->lane, block.lane);
  const std::size_t page = (block.begin - extent->address) / os::PageSize();
  if (extent->live != 0) {
    EXPECT_NE(At<std::uint64_t>(extent->live)[page / 64] >> (page % 64) & 1, 0U);
  }
  if (extent->pristine != 0) {
    const auto* const pristine = At<char>(extent->pristine + (block.begin - extent->address));
    EXPECT_EQ(std::memcmp(pristine, At<char>(block.begin), block.size), 0);
  }
  const DirectoryArea* const area = AreaAt(entry, block.begin);
  ASSERT_NE(area, nullptr);
  EXPECT_EQ((block.begin - area->begin) % area->block_size, 0U);
  EXPECT_GE(area->block_size, block.size);
}

TEST(DirectoryTest, EveryBlockOfASealedArenaIsNamedUntilTheArenaIsReleased) {
  EXPECT_EQ(std::memcmp(Root().magic, kDirectoryMagic, sizeof kDirectoryMagic), 0);
  const std::uint64_t before = Root().first;
  ArenaOwner arena(Arena::Create({}));
  const std::vector<Block> blocks = Fill(*arena, 5000);
  EXPECT_EQ(arena->DirectoryEntryAddress(), 0U);
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(Root().self, AddressOfDirectory());
  ASSERT_EQ(Root().first, arena->DirectoryEntryAddress());
  const auto& entry = *At<DirectoryEntry>(Root().first);
  EXPECT_EQ(entry.next, before);
  EXPECT_EQ(entry.complete, 1U);
  for (const Block& block : blocks) ExpectNamed(entry, block);
  for (const Block& block : blocks) {
    arena->Free(reinterpret_cast<void*>(block.begin));  // NOLINT(performance-no-int-to-ptr)
  }
  EXPECT_EQ(Root().first, before);
}

TEST(DirectoryTest, ArenasLeaveItInAnyOrder) {
  const std::uint64_t before = Root().first;
  std::vector<ArenaOwner> arenas;
  std::vector<Block> blocks;
  for (int i = 0; i < 3; ++i) {
    arenas.emplace_back(Arena::Create({}));
    blocks.push_back(Fill(*arenas.back(), 1).front());
    ASSERT_EQ(arenas.back()->Seal(), Status::kOk);
  }
  const auto free_block = [&](std::size_t i) {
    arenas[i]->Free(reinterpret_cast<void*>(blocks[i].begin));  // NOLINT(performance-no-int-to-ptr)
  };
  free_block(1);
  EXPECT_EQ(At<DirectoryEntry>(Root().first)->next, arenas[0]->DirectoryEntryAddress());
  free_block(2);
  EXPECT_EQ(Root().first, arenas[0]->DirectoryEntryAddress());
  free_block(0);
  EXPECT_EQ(Root().first, before);
}

TEST(DirectoryTest, AnEmptyArenaIsNotInIt) {
  const std::uint64_t before = Root().first;
  const ArenaOwner arena(Arena::Create({}));
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(Root().first, before);
}

}  // namespace
}  // namespace frozen_arena
