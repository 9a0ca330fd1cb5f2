// What an arena does where the kernel gives less. Each case runs in a child, because the plan of
// faults is read once in a process; nothing here may use an arena in the parent.
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "arena/arena.h"
#include "tests/arena/child.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::InChildWithFaults;

// Builds, seals and reads an arena of some MiB, forking on the way. 0 when every block that was had
// is whole.
int BuildAndCheck(std::size_t* overflow, ArenaStats* stats) {
  Arena* const arena = Arena::Create({});
  if (arena == nullptr) return 0;  // refused as a whole: the block runs as ordinary code
  struct Block {
    char* address;
    std::size_t size;
    char fill;
  };
  std::vector<Block> blocks;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t size = i % 500 == 499 ? kMiB : 1 + static_cast<std::size_t>(i % 4000);
    const LaneKind lane = i % 2 == 0 ? LaneKind::kObjects : LaneKind::kPayload;
    char* const address = static_cast<char*>(arena->Allocate(lane, size));
    if (address == nullptr) continue;
    std::memset(address, i, size);
    blocks.push_back({address, size, static_cast<char>(i)});
    if (i == 1500 && InChild([&] { return address[0] == static_cast<char>(i) ? 0 : 1; }) != 0)
      return 10;
  }
  static_cast<void>(arena->Seal());
  for (const Block& block : blocks) {
    if (block.address[0] != block.fill || block.address[block.size - 1] != block.fill) return 11;
  }
  if (arena->Audit() != nullptr) return 12;
  if (InChild([&] { return blocks.empty() || blocks[0].address[0] == blocks[0].fill ? 0 : 1; }) !=
      0)
    return 13;
  *stats = arena->stats();
  *overflow = stats->overflow_blocks;
  for (const Block& block : blocks) arena->Free(block.address);
  arena->DropHandle();
  return 0;
}

TEST(FaultsTest, WithoutMemfdAnArenaIsOrdinaryPrivateMemory) {
  EXPECT_EQ(
      InChildWithFaults("no_memfd",
                        [] {
                          std::size_t overflow = 0;
                          ArenaStats stats;
                          const int failed = BuildAndCheck(&overflow, &stats);
                          if (failed != 0) return failed;
                          const LaneStats& lane = stats.lanes[0];
                          return overflow == 0 && lane.unsealed_bytes == lane.mapped_bytes ? 0 : 1;
                        }),
      0);
}

TEST(FaultsTest, WithoutCollapseAnArenaLiesInUsualOsPages) {
  EXPECT_EQ(InChildWithFaults("no_collapse",
                              [] {
                                std::size_t overflow = 0;
                                ArenaStats stats;
                                const int failed = BuildAndCheck(&overflow, &stats);
                                if (failed != 0) return failed;
                                return overflow == 0 && stats.lanes[0].huge_bytes == 0 ? 0 : 1;
                              }),
            0);
}

TEST(FaultsTest, WithoutPreferredAddressesAnArenaLiesWhereTheKernelPutsIt) {
  EXPECT_EQ(InChildWithFaults("no_preferred",
                              [] {
                                std::size_t overflow = 0;
                                ArenaStats stats;
                                const int failed = BuildAndCheck(&overflow, &stats);
                                return failed != 0 ? failed : (overflow == 0 ? 0 : 1);
                              }),
            0);
}

TEST(FaultsTest, WithoutProcPagesCannotBeCounted) {
  EXPECT_EQ(InChildWithFaults("no_proc",
                              [] {
                                Arena* const arena = Arena::Create({});
                                if (arena->Allocate(LaneKind::kObjects, 100) == nullptr) return 1;
                                if (arena->Seal() != Status::kOk) return 2;
                                std::array<PageCounts, kLaneCount> counts{};
                                const Status status = arena->CountPages(&counts);
                                return status == Status::kUnsupported ? 0 : 3;
                              }),
            0);
}

TEST(FaultsTest, AnyOneRefusedRequestLosesNoByte) {
  for (int nth = 1; nth <= 120; ++nth) {
    const std::string faults = "fail_nth=" + std::to_string(nth);
    EXPECT_EQ(InChildWithFaults(faults.c_str(),
                                [] {
                                  std::size_t overflow = 0;
                                  ArenaStats stats;
                                  return BuildAndCheck(&overflow, &stats);
                                }),
              0)
        << faults;
  }
}

TEST(FaultsTest, RefusalsAgainAndAgainLoseNoByte) {
  for (int every = 1; every <= 12; ++every) {
    const std::string faults = "fail_every=" + std::to_string(every);
    EXPECT_EQ(InChildWithFaults(faults.c_str(),
                                [] {
                                  std::size_t overflow = 0;
                                  ArenaStats stats;
                                  return BuildAndCheck(&overflow, &stats);
                                }),
              0)
        << faults;
  }
}

}  // namespace
}  // namespace frozen_arena
