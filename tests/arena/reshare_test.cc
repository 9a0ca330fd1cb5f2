// Copies that equal the sealed content again are given back, and no others.
#include "arena/reshare.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arena/arena.h"
#include "arena/os_memory.h"
#include "arena/units.h"
#include "tests/arena/child.h"
#include "tests/arena/filled.h"

namespace frozen_arena {
namespace {

using testing::Filled;
using testing::InChild;
using testing::InChildWithFaults;
using testing::kBlocks;
using testing::kBlockSize;

TEST(ReshareTest, CopiesThatAreEqualAgainGoBack) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 1);
  const std::size_t copied = data->Private(LaneKind::kObjects);
  ASSERT_GT(copied, kBlocks * kBlockSize / os::PageSize());

  Reshared result;
  EXPECT_EQ(data->arena->Reshare(LaneKind::kObjects, {}, &result), Status::kOk);
  EXPECT_EQ(result.compared_os_pages, copied);
  EXPECT_EQ(result.dropped_os_pages, copied);
  EXPECT_EQ(data->Private(LaneKind::kObjects), 0U);
  for (std::size_t i = 0; i < kBlocks; ++i)
    ASSERT_EQ(data->blocks[0][i][kBlockSize - 1], static_cast<char>(i % 251));
}

TEST(ReshareTest, WhatWasChangedStaysChanged) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 1);
  std::memset(data->blocks[0][7], 'x', kBlockSize);
  data->blocks[0][kBlocks - 1][kBlockSize - 1] = 'y';
  const std::size_t copied = data->Private(LaneKind::kObjects);

  Reshared result;
  EXPECT_EQ(data->arena->Reshare(LaneKind::kObjects, {}, &result), Status::kOk);
  EXPECT_EQ(result.compared_os_pages, copied);
  EXPECT_EQ(data->Private(LaneKind::kObjects), copied - result.dropped_os_pages);
  EXPECT_GE(result.dropped_os_pages, copied - 3) << "a block lies on two OS pages at most";
  EXPECT_LE(result.dropped_os_pages, copied - 2);
  EXPECT_EQ(data->blocks[0][7][50], 'x');
  EXPECT_EQ(data->blocks[0][kBlocks - 1][kBlockSize - 1], 'y');
  EXPECT_EQ(data->blocks[0][8][0], 8);
}

TEST(ReshareTest, SlicesOneAfterAnotherGiveBackAsMuchAsAllAtOnce) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 1);
  const std::size_t copied = data->Private(LaneKind::kObjects);
  Reshared total;
  std::size_t slices = 0;
  do {
    Reshared one;
    const ReshareSlice slice{{total.next, 300}, 100};
    ASSERT_EQ(data->arena->Reshare(LaneKind::kObjects, slice, &one), Status::kOk);
    EXPECT_LE(one.compared_os_pages, 100U);
    EXPECT_TRUE(one.next == 0 || one.next > total.next);
    EXPECT_EQ(data->Private(LaneKind::kObjects),
              copied - total.dropped_os_pages - one.dropped_os_pages);
    total.dropped_os_pages += one.dropped_os_pages;
    total.next = one.next;
    ++slices;
  } while (total.next != 0);
  EXPECT_EQ(total.dropped_os_pages, copied);
  EXPECT_GE(slices, copied / 100);
  EXPECT_LE(slices, copied / 100 + copied / 300 + 10);
}

TEST(ReshareTest, EachLaneIsAskedForByItself) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 1);
  data->Touch(LaneKind::kPayload, 1);
  const std::size_t payload = data->Private(LaneKind::kPayload);
  Reshared result;
  EXPECT_EQ(data->arena->Reshare(LaneKind::kObjects, {}, &result), Status::kOk);
  EXPECT_EQ(data->Private(LaneKind::kPayload), payload);
  EXPECT_EQ(data->arena->Reshare(LaneKind::kPayload, {}, &result), Status::kOk);
  EXPECT_EQ(data->Private(LaneKind::kPayload), 0U);
}

TEST(ReshareTest, AChildGivesBackItsOwnCopiesAndNoOthers) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 100);
  const std::size_t mine = data->Private(LaneKind::kObjects);
  EXPECT_EQ(InChild([&] {
              data->Touch(LaneKind::kObjects, 1);
              Reshared result;
              if (data->arena->Reshare(LaneKind::kObjects, {}, &result) != Status::kOk) return 1;
              if (data->Private(LaneKind::kObjects) != 0) return 2;
              return data->blocks[0][250][0] == static_cast<char>(250) ? 0 : 3;
            }),
            0);
  EXPECT_EQ(data->Private(LaneKind::kObjects), mine);
}

TEST(ReshareTest, LargeBlocksAndRunsComeBackToo) {
  Arena* const arena = Arena::Create({});
  std::array<char*, 3> blocks{};
  std::array<std::size_t, 3> sizes = {60 * kKiB, 3 * kMiB, 40 * kMiB};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = static_cast<char*>(arena->Allocate(LaneKind::kPayload, sizes[i]));
    std::memset(blocks[i], 'a', sizes[i]);
  }
  ASSERT_EQ(arena->Seal(), Status::kOk);
  for (std::size_t i = 0; i < blocks.size(); ++i) std::memset(blocks[i], 'b', sizes[i]);
  Reshared result;
  EXPECT_EQ(arena->Reshare(LaneKind::kPayload, {}, &result), Status::kOk);
  EXPECT_EQ(result.dropped_os_pages, 0U);
  for (std::size_t i = 0; i < blocks.size(); ++i) std::memset(blocks[i], 'a', sizes[i]);
  EXPECT_EQ(arena->Reshare(LaneKind::kPayload, {}, &result), Status::kOk);
  EXPECT_GE(result.dropped_os_pages * os::PageSize(), 43 * kMiB);
  for (std::size_t i = 0; i < blocks.size(); ++i) EXPECT_EQ(blocks[i][sizes[i] - 1], 'a');
  for (char* const block : blocks) arena->Free(block);
  arena->DropHandle();
}

TEST(ReshareTest, OnlyASealedArenaHasSomethingToCompareWith) {
  Arena* const arena = Arena::Create({});
  void* const block = arena->Allocate(LaneKind::kObjects, 16);
  Reshared result;
  EXPECT_EQ(arena->Reshare(LaneKind::kObjects, {}, &result), Status::kWrongState);
  ASSERT_EQ(arena->Abandon(), Status::kOk);
  EXPECT_EQ(arena->Reshare(LaneKind::kObjects, {}, &result), Status::kWrongState);
  arena->Free(block);
  arena->DropHandle();
}

TEST(ReshareTest, LockedMemoryStaysWhereItIs) {
  auto data = std::make_unique<Filled>();
  ASSERT_EQ(data->arena->Seal(), Status::kOk);
  data->Touch(LaneKind::kObjects, 1);
  const std::size_t copied = data->Private(LaneKind::kObjects);
  // Not by mlock(): under a sanitizer that does nothing.
  if (::syscall(SYS_mlock, data->blocks[0][0], os::PageSize()) != 0)
    GTEST_SKIP() << "RLIMIT_MEMLOCK is too low";
  Reshared result;
  EXPECT_EQ(data->arena->Reshare(LaneKind::kObjects, {}, &result), Status::kOk);
  EXPECT_LT(result.dropped_os_pages, copied);
  EXPECT_EQ(data->Private(LaneKind::kObjects), copied - result.dropped_os_pages);
  EXPECT_EQ(data->blocks[0][1][0], 1);
}

TEST(ReshareTest, WithoutProcOrFilesNothingIsDropped) {
  EXPECT_EQ(InChildWithFaults("no_proc",
                              [] {
                                auto data = std::make_unique<Filled>();
                                if (data->arena->Seal() != Status::kOk) return 1;
                                Reshared result;
                                const Status status =
                                    data->arena->Reshare(LaneKind::kObjects, {}, &result);
                                return status == Status::kUnsupported ? 0 : 2;
                              }),
            0);
  EXPECT_EQ(
      InChildWithFaults("no_memfd",
                        [] {
                          auto data = std::make_unique<Filled>();
                          if (data->arena->Seal() != Status::kOk) return 1;
                          Reshared result;
                          if (data->arena->Reshare(LaneKind::kObjects, {}, &result) != Status::kOk)
                            return 2;
                          if (result.compared_os_pages != 0) return 3;
                          return data->blocks[0][250][0] == static_cast<char>(250) ? 0 : 4;
                        }),
      0);
}

}  // namespace
}  // namespace frozen_arena
