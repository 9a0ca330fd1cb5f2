// Ledgers of an arena in bytes. For each lane: mapped == live + free + punched.
#ifndef FROZEN_ARENA_ARENA_STATS_H_
#define FROZEN_ARENA_ARENA_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace frozen_arena {

struct LaneStats {
  std::size_t mapped_bytes = 0;  // OS pages that the lane owns
  std::size_t live_bytes = 0;  // blocks that were alive at the seal, rounded up to their size class
  std::size_t free_bytes =
      0;  // the rest of the OS pages that hold live blocks, and of huge pages kept whole
  std::size_t punched_bytes =
      0;  // OS pages without live blocks: never touched, or given back at the seal
  std::size_t huge_bytes = 0;       // of these mapped as huge pages before the seal
  std::size_t unsealed_bytes = 0;   // mapped, but not behind a sealed file
  bool huge_pages_refused = false;  // the lane was big enough for them, and the kernel said no

  LaneStats& operator+=(const LaneStats& other) noexcept {
    mapped_bytes += other.mapped_bytes;
    live_bytes += other.live_bytes;
    free_bytes += other.free_bytes;
    punched_bytes += other.punched_bytes;
    huge_bytes += other.huge_bytes;
    unsealed_bytes += other.unsealed_bytes;
    huge_pages_refused = huge_pages_refused || other.huge_pages_refused;
    return *this;
  }
};

struct ArenaStats {
  std::array<LaneStats, 2> lanes{};
  std::size_t mapped_bytes = 0;     // now, of both lanes
  std::size_t overflow_blocks = 0;  // allocations that the arena could not take
  std::size_t overflow_bytes = 0;
  std::size_t live_blocks = 0;  // now
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_STATS_H_
