// An arena with blocks in either lane whose content is known.
#ifndef FROZEN_ARENA_TESTS_ARENA_FILLED_H_
#define FROZEN_ARENA_TESTS_ARENA_FILLED_H_

#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "arena/arena.h"
#include "arena/page_accounting.h"
#include "arena/status.h"

namespace frozen_arena::testing {

inline constexpr std::size_t kBlocks = 40000;
inline constexpr std::size_t kBlockSize = 100;

// A few MiB in either lane, every block filled with its number.
struct Filled {
  explicit Filled(std::size_t count = kBlocks, const ArenaOptions& options = {})
      : arena(Arena::Create(options)) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
        const auto kind = static_cast<LaneKind>(lane);
        blocks[lane].push_back(static_cast<char*>(arena->Allocate(kind, kBlockSize)));
        std::memset(blocks[lane][i], Content(i), kBlockSize);
      }
    }
  }
  ~Filled() {
    for (const auto& lane : blocks) {
      for (char* const block : lane) arena->Free(block);
    }
    arena->DropHandle();
  }
  Filled(const Filled&) = delete;
  Filled& operator=(const Filled&) = delete;

  static char Content(std::size_t number) { return static_cast<char>(number % 251); }

  PageCounts Counts(LaneKind lane) const {
    std::array<PageCounts, kLaneCount> counts{};
    EXPECT_EQ(arena->CountPages(&counts), Status::kOk);
    return counts[static_cast<std::size_t>(lane)];
  }
  std::size_t Private(LaneKind lane) const { return Counts(lane).private_os_pages; }

  // As reference counts come and go.
  void Touch(LaneKind lane, std::size_t step) {
    const auto& of_lane = blocks[static_cast<std::size_t>(lane)];
    for (std::size_t i = 0; i < of_lane.size(); i += step) {
      *static_cast<volatile char*>(of_lane[i]) = static_cast<char>(*of_lane[i] + 1);
      *static_cast<volatile char*>(of_lane[i]) = static_cast<char>(*of_lane[i] - 1);
    }
  }
  // True when every block of the objects lane but those numbered in `changed` says what it said.
  bool IsWhole(const std::vector<std::size_t>& changed = {}) const {
    std::size_t different = 0;
    for (std::size_t i = 0; i < blocks[0].size(); ++i) {
      const auto* const block = static_cast<const volatile char*>(blocks[0][i]);
      if (block[0] != Content(i) || block[kBlockSize - 1] != Content(i)) ++different;
    }
    return different == changed.size();
  }

  Arena* arena;
  std::array<std::vector<char*>, kLaneCount> blocks{};
};

}  // namespace frozen_arena::testing

#endif  // FROZEN_ARENA_TESTS_ARENA_FILLED_H_
