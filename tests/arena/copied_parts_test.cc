// What has been given back costs fork() nothing any more.
//
// Seen in a child that has touched nothing yet: what stands in its page tables fork() has copied.
#include "arena/copied_parts.h"

#include <atomic>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "arena/arena.h"
#include "arena/os_memory.h"
#include "arena/reshare.h"
#include "arena/units.h"
#include "tests/arena/child.h"
#include "tests/arena/filled.h"

namespace frozen_arena {
namespace {

using testing::Filled;
using testing::InChild;
using testing::kBlockSize;

constexpr std::size_t kMany = 200000;  // some 20 MiB
constexpr std::size_t kOsPagesInGranule = 512;

ArenaOptions SmallOsPages() {
  ArenaOptions options;
  options.huge_pages = HugePages::kNever;  // fork() copies nothing for huge ones anyway
  return options;
}

std::size_t GiveBack(const Filled& data, bool map_anew) {
  Reshared result;
  ReshareSlice all;
  all.map_anew = map_anew;
  EXPECT_EQ(data.arena->Reshare(LaneKind::kObjects, all, &result), Status::kOk);
  return result.dropped_os_pages;
}

// OS pages of the objects lane, 64 at a time, that fork() has copied the entries of.
int CopiedByFork(const Filled& data) {
  EXPECT_TRUE(data.IsWhole());  // reads everything, so that all is in the page tables
  return InChild([&] {
    return static_cast<int>(data.Counts(LaneKind::kObjects).resident_os_pages + 63) / 64;
  });
}

// One line of /proc/self/smaps of the mapping at `address`, or all lines that begin a mapping.
std::string VmFlagsOf(const void* address) {
  std::ifstream lines("/proc/self/smaps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream words(line);
    if (words >> std::hex >> begin >> dash >> end && dash == '-') found = begin <= at && at < end;
    if (found && line.rfind("VmFlags:", 0) == 0) return line;
  }
  return {};
}

std::size_t MappingsOfThisProcess() {
  std::ifstream lines("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  return count;
}

bool KernelMovesFilesAway() {
  Filled data(1000, SmallOsPages());
  EXPECT_EQ(data.arena->Seal(), Status::kOk);
  const auto begin = RoundDown(reinterpret_cast<std::uintptr_t>(data.blocks[0][0]), kSliceSize);
  const std::uintptr_t moved = os::MoveAway(begin, kSliceSize);
  if (moved != 0) os::Unmap(moved, kSliceSize);
  return moved != 0;
}

class CopiedPartsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!KernelMovesFilesAway()) GTEST_SKIP() << "MREMAP_DONTUNMAP of files takes Linux 5.13";
  }
};

TEST_F(CopiedPartsTest, ForkCopiesNothingOfWhatHasBeenGivenBack) {
  Filled data(kMany, SmallOsPages());
  ASSERT_EQ(data.arena->Seal(), Status::kOk);
  EXPECT_EQ(CopiedByFork(data), 0) << "nothing has been copied yet";
  data.Touch(LaneKind::kObjects, 1);
  EXPECT_GT(GiveBack(data, false), kOsPagesInGranule);
  EXPECT_GT(CopiedByFork(data), 64) << "the kernel remembers that there were copies";
  GiveBack(data, true);
  EXPECT_EQ(data.Private(LaneKind::kObjects), 0U);
  EXPECT_EQ(CopiedByFork(data), 0);
  data.Touch(LaneKind::kObjects, 1);  // and it can be written to as before
  EXPECT_TRUE(data.IsWhole());
}

TEST_F(CopiedPartsTest, WhatStaysCopiedIsSetApartUntilItComesBack) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer maps memory of its own, and needs address space";
#endif
  Filled data(kMany, SmallOsPages());
  ASSERT_EQ(data.arena->Seal(), Status::kOk);
  const std::size_t mappings = MappingsOfThisProcess();
  char* const first = data.blocks[0][kMany / 3];
  char* const second = data.blocks[0][kMany / 2];
  for (char* const changed : {first, second}) {
    data.Touch(LaneKind::kObjects, 1);
    *static_cast<volatile char*>(changed) = static_cast<char>(*changed + 1);
    GiveBack(data, true);
    EXPECT_TRUE(data.IsWhole({1}));
    EXPECT_LE(MappingsOfThisProcess(), mappings + 2);
    EXPECT_LE(InChild([&] {
                const std::size_t copied = data.Counts(LaneKind::kObjects).resident_os_pages;
                return copied <= kOsPagesInGranule ? 0 : 1;
              }),
              0)
        << "one granule and no more";
    *static_cast<volatile char*>(changed) = static_cast<char>(*changed - 1);
  }
  GiveBack(data, true);
  EXPECT_EQ(CopiedByFork(data), 0);
  EXPECT_LE(MappingsOfThisProcess(), mappings);
}

TEST_F(CopiedPartsTest, WhatTheKernelWasToldOfTheMappingStays) {
  Filled data(kMany, SmallOsPages());
  ASSERT_EQ(data.arena->Seal(), Status::kOk);
  char* const block = data.blocks[0][kMany / 2];
  const auto begin = RoundDown(reinterpret_cast<std::uintptr_t>(block), kGranuleSize);
  ASSERT_EQ(::madvise(reinterpret_cast<void*>(begin), kGranuleSize, MADV_DONTDUMP), 0);  // NOLINT
  const std::string before = VmFlagsOf(block);
  ASSERT_NE(before.find(" dd"), std::string::npos) << before;
  data.Touch(LaneKind::kObjects, 1);
  GiveBack(data, true);
  EXPECT_EQ(VmFlagsOf(block), before);
  EXPECT_TRUE(data.IsWhole());
  EXPECT_EQ(data.Private(LaneKind::kObjects), 0U);
}

TEST_F(CopiedPartsTest, OthersReadOnWhileItIsMappedAnew) {
  Filled data(kMany, SmallOsPages());
  ASSERT_EQ(data.arena->Seal(), Status::kOk);
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> wrong{0};
  std::thread reader([&] {
    while (!stop) {
      for (std::size_t i = 0; i < kMany; i += 7) {
        const auto* const block = static_cast<const volatile char*>(data.blocks[0][i]);
        // Not its first byte: that is what Touch counts in.
        if (block[kBlockSize - 1] != Filled::Content(i)) ++wrong;
      }
    }
  });
  for (int round = 0; round < 8; ++round) {
    data.Touch(LaneKind::kObjects, 40);
    GiveBack(data, true);
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_TRUE(data.IsWhole());
}

TEST_F(CopiedPartsTest, WithoutAddressSpaceForItAllStaysAsItWas) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer maps memory of its own, and needs address space";
#endif
  Filled data(kMany, SmallOsPages());
  ASSERT_EQ(data.arena->Seal(), Status::kOk);
  EXPECT_EQ(InChild([&] {
              const std::size_t mappings = MappingsOfThisProcess();
              const rlimit none{1, RLIM_INFINITY};  // whatever is mapped from now on is refused
              ::setrlimit(RLIMIT_AS, &none);
              data.Touch(LaneKind::kObjects, 1);
              *static_cast<volatile char*>(data.blocks[0][9]) = 'x';
              if (GiveBack(data, true) <= kOsPagesInGranule) return 1;
              if (data.Private(LaneKind::kObjects) != 1) return 2;
              if (*data.blocks[0][9] != 'x' || !data.IsWhole({9})) return 3;
              return MappingsOfThisProcess() <= mappings + 1 ? 0 : 4;  // the stack may have grown
            }),
            0);
}

}  // namespace
}  // namespace frozen_arena
