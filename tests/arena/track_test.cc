// What lies at the start of a track: mimalloc's metadata, ordinary memory that every fork() copies.
#include "arena/track.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "arena/os_memory.h"
#include "arena/units.h"
#include "tests/arena/child.h"
#include "tests/arena/kernel.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::InChildWithFaults;
using testing::ThisKernelCollapses;

constexpr int kNotHere = 99;
constexpr std::size_t kBigTrack = 3;  // the fourth of a lane has several granules of metadata

// KiB of huge pages in the mapping that begins at `address`.
std::size_t HugeKiBAt(std::uintptr_t address) {
  std::ifstream lines("/proc/self/smaps");
  std::ostringstream begin;
  begin << std::hex << address << '-';
  bool here = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(begin.str(), 0) == 0) here = true;
    if (here && line.rfind("AnonHugePages:", 0) == 0) return std::stoul(line.substr(14));
  }
  return 0;
}

// A track of which one OS page of `every` of the metadata's first granule has been written to, as
// blocks would do.
Track* TouchedTrack(std::size_t every) {
  Track* const track = Track::Lease(kBigTrack, nullptr);
  for (std::size_t at = 0; at < kGranuleSize; at += every * os::PageSize()) {
    auto* const word =  // NOLINTNEXTLINE(performance-no-int-to-ptr)
        reinterpret_cast<volatile char*>(track->range().begin + at);
    *word = *word;
  }
  return track;
}

TEST(TrackTest, MetadataInUseBecomesHugePagesAndMetadataThatIsNotStaysAsItIs) {
  const int status = InChild([] {
    if (!ThisKernelCollapses()) return kNotHere;
    const Track* track = TouchedTrack(64);
    track->CollapseMetadata();
    if (HugeKiBAt(track->range().begin) != 0) return 1;
    track = TouchedTrack(2);
    track->CollapseMetadata();
    return HugeKiBAt(track->range().begin) >= kGranuleSize / kKiB ? 0 : 2;
  });
  EXPECT_EQ(InChildWithFaults("no_collapse",
                              [] {
                                const Track* const track = TouchedTrack(2);
                                track->CollapseMetadata();
                                return HugeKiBAt(track->range().begin) == 0 ? 0 : 1;
                              }),
            0);
  if (status == kNotHere) GTEST_SKIP() << "this kernel has no MADV_COLLAPSE";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace frozen_arena
