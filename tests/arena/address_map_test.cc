// Whose an address is, for granules with one owner and with several, and while owners change.
#include "arena/address_map.h"

#include <atomic>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "arena/units.h"
#include "tests/arena/child.h"
#include "tests/arena/kernel.h"

namespace frozen_arena {
namespace {

using testing::InChildWithFaults;

constexpr std::uintptr_t kPlace = 0x4fff'0000'0000;  // where no arena of a test comes to lie
constexpr std::uintptr_t kSecondSlice = kPlace + kSliceSize;

Region first{nullptr, nullptr, RegionKind::kSegment};
Region second{nullptr, nullptr, RegionKind::kLargeBlock};

void Forget(std::uintptr_t begin, std::uintptr_t end) { AddressMap::Assign(begin, end, nullptr); }

TEST(AddressMapTest, EveryByteOfASliceHasItsOwnerAndNoByteBeside) {
  ASSERT_TRUE(AddressMap::Assign(kSecondSlice, kSecondSlice + kSliceSize, &first));
  EXPECT_EQ(AddressMap::Find(kSecondSlice - 1), nullptr);
  EXPECT_EQ(AddressMap::Find(kSecondSlice), &first);
  EXPECT_EQ(AddressMap::Find(kSecondSlice + kSliceSize - 1), &first);
  EXPECT_EQ(AddressMap::Find(kSecondSlice + kSliceSize), nullptr);
  EXPECT_EQ(AddressMap::Find(kSecondSlice + (std::uintptr_t{1} << 47)), nullptr);
  Forget(kSecondSlice, kSecondSlice + kSliceSize);
  EXPECT_EQ(AddressMap::Find(kSecondSlice), nullptr);
}

TEST(AddressMapTest, RangeMayBeginAndEndAnywhereInItsGranules) {
  const std::uintptr_t begin = kPlace + 5 * kSliceSize;
  const std::uintptr_t end = kPlace + 3 * kGranuleSize + 7 * kSliceSize;
  ASSERT_TRUE(AddressMap::Assign(begin, end, &first));
  for (std::uintptr_t at = kPlace; at < kPlace + 4 * kGranuleSize; at += kSliceSize) {
    ASSERT_EQ(AddressMap::Find(at), at >= begin && at < end ? &first : nullptr) << (at - kPlace);
  }
  Forget(begin, end);
}

TEST(AddressMapTest, SlicesOfOneGranuleMayHaveDifferentOwners) {
  for (std::size_t i = 0; i < kSlicesPerGranule; ++i) {
    const std::uintptr_t at = kPlace + i * kSliceSize;
    ASSERT_TRUE(AddressMap::Assign(at, at + kSliceSize, i % 3 == 0 ? &first : &second));
  }
  for (std::size_t i = 0; i < kSlicesPerGranule; ++i)
    EXPECT_EQ(AddressMap::Find(kPlace + i * kSliceSize), i % 3 == 0 ? &first : &second);
  Forget(kPlace, kPlace + kGranuleSize);
  for (std::size_t i = 0; i < kSlicesPerGranule; ++i)
    EXPECT_EQ(AddressMap::Find(kPlace + i * kSliceSize), nullptr);
}

TEST(AddressMapTest, OwnerThatIsGoneLeavesItsGranuleToTheNext) {
  for (Region* const owner : {&first, &second, &first}) {
    ASSERT_TRUE(AddressMap::Assign(kPlace, kPlace + kSliceSize, owner));
    EXPECT_EQ(AddressMap::Find(kPlace), owner);
    EXPECT_EQ(AddressMap::Find(kSecondSlice), nullptr);
    Forget(kPlace, kPlace + kSliceSize);
  }
}

// What the RAW hooks do all the time, without a lock: ask for what one holds oneself.
TEST(AddressMapTest, AThreadFindsItsOwnWhileOthersComeAndGoInTheSameGranule) {
  for (std::size_t granule = 0; granule < 200; ++granule) {
    const std::uintptr_t mine = kPlace + granule * kGranuleSize;
    ASSERT_TRUE(AddressMap::Assign(mine, mine + kSliceSize, &first));
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> wrong{0};
    std::atomic<std::size_t> asked{0};
    std::thread reader([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        if (AddressMap::Find(mine) != &first) wrong.fetch_add(1);
        asked.fetch_add(1, std::memory_order_relaxed);
      }
    });
    while (asked.load() == 0) std::this_thread::yield();
    for (std::size_t i = 1; i < kSlicesPerGranule; ++i) {
      const std::uintptr_t other = mine + i * kSliceSize;
      AddressMap::Assign(other, other + kSliceSize, &second);
      if (i % 2 == 0) Forget(other, other + kSliceSize);
    }
    stop.store(true);
    reader.join();
    EXPECT_EQ(wrong.load(), 0U);
    Forget(mine, mine + kGranuleSize);
  }
}

TEST(AddressMapTest, NoMemoryForATableEntersNothing) {
  EXPECT_EQ(InChildWithFaults("fail_nth=1",
                              [] {
                                if (AddressMap::Assign(kPlace, kPlace + kSliceSize, &first))
                                  return 1;
                                return AddressMap::Find(kPlace) == nullptr ? 0 : 2;
                              }),
            0);
}

TEST(AddressMapTest, NoMemoryForALeafLeavesTheGranuleToItsOwner) {
  EXPECT_EQ(InChildWithFaults("fail_nth=2",
                              [] {
                                if (!AddressMap::Assign(kPlace, kPlace + kSliceSize, &first))
                                  return 1;
                                const std::uintptr_t end = kSecondSlice + kSliceSize;
                                if (AddressMap::Assign(kSecondSlice, end, &second)) return 2;
                                if (AddressMap::Find(kPlace) != &first) return 3;
                                return AddressMap::Find(kSecondSlice) == nullptr ? 0 : 4;
                              }),
            0);
}

std::size_t AnonymousKiB() {
  std::ifstream lines("/proc/self/status");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoul(line.substr(8));
  }
  return 0;
}

TEST(AddressMapTest, OwnerOfManyGiBTakesKiB) {
  if (!testing::kMemoryIsTold) GTEST_SKIP() << "the shadow of the sanitizer counts as memory";
  const std::size_t before = AnonymousKiB();
  ASSERT_TRUE(AddressMap::Assign(kPlace, kPlace + 64 * kGiB, &first));
  EXPECT_EQ(AddressMap::Find(kPlace + 33 * kGiB), &first);
  EXPECT_LE(AnonymousKiB() - before, 16 * 32 + 64);  // 16 tables
  Forget(kPlace, kPlace + 64 * kGiB);
}

}  // namespace
}  // namespace frozen_arena
