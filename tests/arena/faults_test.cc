// What an arena does where the kernel gives less. Each case runs in a child, because the plan of
// faults is read once in a process; nothing here may use an arena in the parent.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arena/address_space.h"
#include "arena/arena.h"
#include "arena/faults.h"
#include "arena/os_memory.h"
#include "tests/arena/child.h"
#include "tests/arena/kernel.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::InChildWithFaults;
using testing::MemoryOfThisProcess;
using testing::ThisKernelCollapses;

constexpr int kManyBlocks = 3000;
constexpr int kFewBlocks = 600;  // for who does it hundreds of times

// Builds, seals and reads an arena of some MiB, forking on the way. 0 when every block that was had
// is whole.
int BuildAndCheck(int count, std::size_t* overflow, ArenaStats* stats) {
  Arena* const arena = Arena::Create({});
  if (arena == nullptr) return 0;  // refused as a whole: the block runs as ordinary code
  struct Block {
    char* address;
    std::size_t size;
    char fill;
  };
  std::vector<Block> blocks;
  for (int i = 0; i < count; ++i) {
    const std::size_t size = i == count / 3 * 2 ? 33 * kMiB
                             : i % (count / 6) == count / 6 - 1
                                 ? kMiB
                                 : 1 + static_cast<std::size_t>(i % 4000);
    const LaneKind lane = i % 2 == 0 ? LaneKind::kObjects : LaneKind::kPayload;
    char* const address = static_cast<char*>(arena->Allocate(lane, size));
    if (address == nullptr) continue;
    std::memset(address, i, std::min(size, kMiB));  // of a large block its two ends will do
    address[size - 1] = static_cast<char>(i);
    blocks.push_back({address, size, static_cast<char>(i)});
    if (i == count / 2 && InChild([&] { return address[0] == static_cast<char>(i) ? 0 : 1; }) != 0)
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
                          const int failed = BuildAndCheck(kManyBlocks, &overflow, &stats);
                          if (failed != 0) return failed;
                          const LaneStats& lane = stats.lanes[0];
                          return overflow == 0 && lane.unsealed_bytes == lane.mapped_bytes ? 0 : 1;
                        }),
      0);
}

TEST(FaultsTest, WithoutMemfdTheSealGivesBackWhatHoldsNoBlock) {
  if (!testing::kMemoryIsTold) GTEST_SKIP() << "the shadow of the sanitizer counts as memory";
  EXPECT_EQ(InChildWithFaults("no_memfd",
                              [] {
                                Arena* const arena = Arena::Create({});
                                const std::size_t before = MemoryOfThisProcess();
                                std::vector<void*> blocks;
                                for (int i = 0; i < 40000; ++i) {
                                  const std::size_t size = i % 2 == 0 ? 400 : 3000;
                                  blocks.push_back(arena->Allocate(LaneKind::kPayload, size));
                                  std::memset(blocks.back(), 1, size);
                                }
                                for (std::size_t i = 0; i < blocks.size(); ++i) {
                                  if (i % 100 != 0) arena->Free(blocks[i]);
                                }
                                if (arena->Seal() != Status::kOk) return 1;
                                return MemoryOfThisProcess() < before + 6 * kMiB ? 0 : 2;
                              }),
            0);
}

// 0 when a child that writes to an open arena changes nothing of its parent's, in small blocks and
// in all others. It may not have the memory at all.
enum class Child { kHasAll, kMayLack };
int ForkAndWrite(Child wanted) {
  Arena* const arena = Arena::Create({});
  std::vector<char*> blocks;
  for (const std::size_t size : {std::size_t{100}, std::size_t{3000}, kMiB, 33 * kMiB}) {
    blocks.push_back(static_cast<char*>(arena->Allocate(LaneKind::kPayload, size)));
    if (blocks.back() == nullptr) return 1;
    blocks.back()[0] = 'p';
  }
  for (char* const block : blocks) {
    const int child = InChild([block] { return (block[0] = 'c') == 'c' ? 0 : 1; });
    if (child != 0 && wanted == Child::kHasAll) return 2;
    if (block[0] != 'p') return 3;
  }
  const bool sealed = arena->Seal() == Status::kOk;
  for (char* const block : blocks) {
    static_cast<void>(InChild([block] { return (block[0] = 'c') == 'c' ? 0 : 1; }));
    if (block[0] != 'p') return 4;
    arena->Free(block);
  }
  arena->DropHandle();
  return sealed ? 0 : 5;
}

TEST(FaultsTest, WhatCannotBeMadePrivateIsKeptFromChildren) {
  EXPECT_EQ(InChildWithFaults("no_private", [] { return ForkAndWrite(Child::kMayLack); }), 0);
}

int UnderLimit(__rlimit_resource resource, std::size_t bytes) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return 1;
  limit.rlim_cur = bytes;
  return ::setrlimit(resource, &limit) == 0 ? 0 : 1;
}

TEST(FaultsTest, ALimitOfPrivateMemoryThatComesLateDoesNotLetAChildWriteToItsParent) {
  EXPECT_EQ(InChild([] {
              Arena* const arena = Arena::Create({});
              auto* const block = static_cast<char*>(arena->Allocate(LaneKind::kObjects, 100));
              block[0] = 'p';
              if (UnderLimit(RLIMIT_DATA, 4096) != 0) return 1;
              static_cast<void>(InChild([block] { return (block[0] = 'c') == 'c' ? 0 : 1; }));
              return block[0] == 'p' ? 0 : 2;
            }),
            0);
}

// Under a limit of private memory, or of the size of files, an arena is ordinary private memory
// from the start: with a file it would be refused later, or end the process (SIGXFSZ).
TEST(FaultsTest, UnderLimitsThatFilesCannotKeepAnArenaIsOrdinaryPrivateMemory) {
  for (const auto resource : {RLIMIT_DATA, RLIMIT_FSIZE}) {
    EXPECT_EQ(InChild([resource] {
                // Any limit of private memory counts; this one leaves a sanitizer its shadow.
                const std::size_t bytes = resource == RLIMIT_DATA ? kGiB << 16 : kMiB;
                if (UnderLimit(resource, bytes) != 0) return 9;
                if (os::WhyNoFiles() == nullptr) return 8;
                std::size_t overflow = 0;
                ArenaStats stats;
                const int failed = BuildAndCheck(kManyBlocks, &overflow, &stats);
                if (failed != 0 || overflow != 0) return failed + 20;
                const std::size_t unsealed =
                    stats.lanes[0].unsealed_bytes + stats.lanes[1].unsealed_bytes;
                if (unsealed == 0 || InjectedSoFar() != 0) return 7;
                return ForkAndWrite(Child::kHasAll);
              }),
              0)
        << resource;
  }
}

TEST(FaultsTest, WithoutCollapseAnArenaLiesInUsualOsPages) {
  EXPECT_EQ(InChildWithFaults("no_collapse",
                              [] {
                                std::size_t overflow = 0;
                                ArenaStats stats;
                                const int failed = BuildAndCheck(kManyBlocks, &overflow, &stats);
                                if (failed != 0) return failed;
                                return overflow == 0 && stats.lanes[0].huge_bytes == 0 ? 0 : 1;
                              }),
            0);
}

// 24 MiB of small blocks: many times what a lane must hold before it asks for huge pages.
std::size_t HugeBytesOf(HugePages wish) {
  ArenaOptions options;
  options.huge_pages = wish;
  Arena* const arena = Arena::Create(options);
  std::vector<void*> blocks;
  for (int i = 0; i < 24 * 1024; ++i) blocks.push_back(arena->Allocate(LaneKind::kObjects, kKiB));
  static_cast<void>(arena->Seal());
  const std::size_t huge = arena->stats().lanes[0].huge_bytes;
  for (void* const block : blocks) arena->Free(block);
  arena->DropHandle();
  return huge;
}

TEST(FaultsTest, ABigLaneLiesInHugePagesUnlessTheUserOrTheKernelSaysNo) {
  constexpr int kNotHere = 99;
  const int status = InChild([] {
    if (HugeBytesOf(HugePages::kNever) != 0) return 1;
    if (!ThisKernelCollapses()) return kNotHere;
    return HugeBytesOf(HugePages::kAuto) >= kGranuleSize ? 0 : 2;
  });
  EXPECT_EQ(
      InChildWithFaults("no_collapse", [] { return HugeBytesOf(HugePages::kAuto) == 0 ? 0 : 1; }),
      0);
  if (status == kNotHere) GTEST_SKIP() << "this kernel has no MADV_COLLAPSE for files in memory";
  EXPECT_EQ(status, 0);
}

TEST(FaultsTest, WithoutPreferredAddressesAnArenaLiesWhereTheKernelPutsIt) {
  EXPECT_EQ(InChildWithFaults("no_preferred",
                              [] {
                                std::size_t overflow = 0;
                                ArenaStats stats;
                                const int failed = BuildAndCheck(kManyBlocks, &overflow, &stats);
                                return failed != 0 ? failed : (overflow == 0 ? 0 : 1);
                              }),
            0);
}

// The kernel gives the highest free addresses to whoever asks: a slice of a reserved range may at
// no time be free.
int BuildBesideAThreadThatMaps() {
  const auto map = [] {
    return static_cast<char*>(
        ::mmap(nullptr, kSliceSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  };
  const auto build = [] {
    Arena* const arena = Arena::Create({});
    std::vector<void*> blocks;
    for (int i = 0; i < 5000; ++i) blocks.push_back(arena->Allocate(LaneKind::kObjects, 400));
    for (void* const block : blocks) arena->Free(block);
    arena->DropHandle();
  };
  for (int i = 0; i < 4000; ++i) map();  // no gap lies higher than the range
  build();
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      char* const mine = map();
      std::memset(mine, 1, kSliceSize);
      if (std::count(mine, mine + kSliceSize, 1) != kSliceSize) ::_exit(1);
      ::munmap(mine, kSliceSize);
    }
  });
  for (int round = 0; round < 100; ++round) build();
  stop = true;
  other.join();
  return 0;
}

TEST(FaultsTest, ReservedAddressesAreNeverFreeForOtherThreads) {
  EXPECT_EQ(InChildWithFaults("no_preferred", &BuildBesideAThreadThatMaps), 0);
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

// Runs `body` in children that are refused their first request for memory, their second, and so on,
// up to one that asks no more often. Returns how many requests there were, or minus the number of
// the one whose refusal broke something.
template <typename Body>
int RefuseEachRequestOnce(Body body) {
  constexpr int kAllGranted = 99;
  for (int nth = 1;; ++nth) {
    const std::string faults = "fail_nth=" + std::to_string(nth);
    const int status = InChildWithFaults(faults.c_str(), [&] {
      const int failed = body();
      return failed == 0 && InjectedSoFar() == 0 ? kAllGranted : failed;
    });
    if (status == kAllGranted) return nth - 1;
    if (status != 0) {
      ADD_FAILURE() << faults << " ends with " << status;
      return -nth;
    }
  }
}

TEST(FaultsTest, AnyOneRefusedRequestLosesNoByte) {
  const int requests = RefuseEachRequestOnce([] {
    std::size_t overflow = 0;
    ArenaStats stats;
    return BuildAndCheck(kFewBlocks, &overflow, &stats);
  });
  EXPECT_GT(requests, 20);
}

// An arena whose segments are in many pieces, because they lie between those of a sealed one: each
// remap is a request for each piece, and any of them may be refused. 0 when parent and children see
// what they wrote.
int ForkTwiceAndSealInPieces() {
  constexpr std::size_t kSize = 30 * kKiB;
  Arena* const between = Arena::Create({});
  std::vector<char*> gaps;
  for (int i = 0; between != nullptr && i < 480; ++i) {
    auto* const block = static_cast<char*>(between->Allocate(LaneKind::kPayload, kSize));
    if (block != nullptr && i % 80 >= 40) gaps.push_back(block);
  }
  for (char* const block : gaps) between->Free(block);
  if (between != nullptr) static_cast<void>(between->Seal());

  Arena* const arena = Arena::Create({});
  if (arena == nullptr) return 0;
  std::vector<char*> blocks;
  for (int i = 0; i < 120; ++i) {
    auto* const block = static_cast<char*>(arena->Allocate(LaneKind::kPayload, kSize));
    if (block != nullptr) blocks.push_back(block);
  }
  const auto fill = [&blocks](char what) {
    for (char* const block : blocks) block[0] = block[kSize - 1] = what;
  };
  const auto holds = [&blocks](char what) {
    return std::all_of(blocks.begin(), blocks.end(), [what](const char* block) {
      return block[0] == what && block[kSize - 1] == what;
    });
  };
  const auto child_that_writes = [&](char mine, char theirs) {
    return InChild([&] {
      if (!holds(mine)) return 1;
      fill(theirs);
      return holds(theirs) ? 0 : 2;
    });
  };
  fill('a');
  if (child_that_writes('a', 'w') != 0) return 19;
  if (!holds('a')) return 20;
  fill('b');
  // What was granted before is not asked for again: it would lose what was written since.
  if (child_that_writes('b', 'x') != 0) return 21;
  if (!holds('b')) return 22;
  static_cast<void>(arena->Seal());
  if (!holds('b')) return 23;
  if (child_that_writes('b', 'y') != 0) return 24;
  if (!holds('b')) return 25;
  if (arena->Audit() != nullptr) return 26;
  const LaneStats lane = arena->stats().lanes[1];
  if (lane.unsealed_bytes > lane.mapped_bytes) return 27;
  for (char* const block : blocks) arena->Free(block);
  arena->DropHandle();
  return 0;
}

TEST(FaultsTest, ARefusalInTheMiddleOfAForkOrASealLosesNoByte) {
  EXPECT_GT(RefuseEachRequestOnce(&ForkTwiceAndSealInPieces), 20);
}

TEST(FaultsTest, RefusalsAgainAndAgainLoseNoByte) {
  for (int every = 1; every <= 12; ++every) {
    const std::string faults = "fail_every=" + std::to_string(every);
    EXPECT_EQ(InChildWithFaults(faults.c_str(),
                                [] {
                                  std::size_t overflow = 0;
                                  ArenaStats stats;
                                  return BuildAndCheck(kManyBlocks, &overflow, &stats);
                                }),
              0)
        << faults;
  }
}

}  // namespace
}  // namespace frozen_arena
