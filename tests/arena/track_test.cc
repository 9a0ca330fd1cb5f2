// mimalloc's metadata and book-keeping in a track: outside what is sealed, and no child writes
// there together with its parent.
#include "arena/track.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena/address_map.h"
#include "arena/arena.h"
#include "arena/segment.h"
#include "arena/units.h"
#include "tests/arena/child.h"

namespace frozen_arena {
namespace {

using testing::InChild;
using testing::InChildWithFaults;

struct Mapping {
  std::size_t size = 0;
  bool shared = false;
  std::size_t anonymous_kib = 0;  // of it, what fork() copies page by page
};

// The mapping that begins at `address`, as the kernel tells it.
Mapping MappingAt(std::uintptr_t address) {
  std::ifstream lines("/proc/self/smaps");
  std::ostringstream begin;
  begin << std::hex << address << '-';
  Mapping found;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(begin.str(), 0) == 0) {
      found.size = std::stoull(line.substr(begin.str().size()), nullptr, 16) - address;
      found.shared = line.substr(line.find(' ') + 1, 4) == "rw-s";
    }
    if (found.size != 0 && line.rfind("Anonymous:", 0) == 0) {
      found.anonymous_kib = std::stoul(line.substr(10));
      return found;
    }
  }
  return found;
}

// Where the metadata lies of the track that a small block of `arena` comes from.
std::uintptr_t MetadataOf(Arena* arena) {
  const auto block = reinterpret_cast<std::uintptr_t>(arena->Allocate(LaneKind::kObjects, 64));
  return static_cast<Segment*>(AddressMap::Find(block))->track()->range().begin;
}

bool Fill(Arena* arena, std::size_t blocks) {
  for (std::size_t i = 0; i < blocks; ++i) {
    if (arena->Allocate(LaneKind::kObjects, 64) == nullptr) return false;
  }
  return true;
}

TEST(TrackTest, AfterASealForkHasNoMetadataToCopy) {
  EXPECT_EQ(InChild([] {
              Arena* const arena = Arena::Create({});
              const std::uintptr_t metadata = MetadataOf(arena);
              if (!Fill(arena, 100'000)) return 1;
              const Mapping building = MappingAt(metadata);
              if (!building.shared || building.size == 0) return 2;
              if (arena->Seal() != Status::kOk) return 3;
              const Mapping sealed = MappingAt(metadata);
              if (sealed.shared || sealed.size != building.size) return 4;
              return sealed.anonymous_kib == 0 ? 0 : 5;
            }),
            0);
}

TEST(TrackTest, ChildDoesNotWriteToItsParentsMetadata) {
  const auto body = [] {
    Arena* const arena = Arena::Create({});
    const std::uintptr_t metadata = MetadataOf(arena);
    const auto* const bytes =
        reinterpret_cast<const char*>(metadata);  // NOLINT(performance-no-int-to-ptr)
    const std::size_t size = MappingAt(metadata).size;
    std::vector<char> before;
    const int child = [&] {
      before.resize(size);
      const pid_t pid = ::fork();
      if (pid != 0) {
        std::memcpy(before.data(), bytes, size);
        int status = 0;
        ::waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
      }
      Arena* const other = Arena::Create({});
      if (MetadataOf(other) != metadata) ::_exit(10);  // it leases the same track
      ::_exit(Fill(other, 100'000) && other->Seal() == Status::kOk ? 0 : 11);
    }();
    if (child != 0) return child;
    if (std::memcmp(before.data(), bytes, size) != 0) return 1;
    if (!Fill(arena, 100'000)) return 2;
    return arena->Seal() == Status::kOk ? 0 : 3;
  };
  EXPECT_EQ(InChild(body), 0);
  EXPECT_EQ(InChildWithFaults("no_memfd", body), 0);
}

TEST(TrackTest, TracksServeOnAfterAForkInAnOpenBlock) {
  EXPECT_EQ(InChild([] {
              for (int round = 0; round < 200; ++round) {
                Arena* const arena = Arena::Create({});
                if (!Fill(arena, 2'000)) return 1;
                if (InChild([] { return 0; }) != 0) return 2;
                if (!Fill(arena, 2'000)) return 3;
                if (arena->Audit() != nullptr) return 4;
                arena->DropHandle();
              }
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace frozen_arena
