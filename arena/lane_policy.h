// LanePolicy: what a lane may take, shared by its segments and large blocks and asked at each
// request.
#ifndef FROZEN_ARENA_ARENA_LANE_POLICY_H_
#define FROZEN_ARENA_ARENA_LANE_POLICY_H_

#include <cstddef>

#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena {

// The bytes of both lanes of an arena together.
struct Budget {
  std::size_t limit = 0;   // 0: none
  std::size_t mapped = 0;  // bytes behind which memory can come
  bool exhausted = false;  // small blocks were refused memory; the lanes ask for no more
  std::size_t notify_at =
      0;  // when `mapped` gets here, on_doubled is called and the mark moves to twice that
  void (*on_doubled)() = nullptr;

  bool HasRoom(std::size_t bytes) const noexcept {
    return (limit == 0 || (bytes <= limit && mapped <= limit - bytes)) && os::LeavesRoom(bytes);
  }
  bool Take(std::size_t bytes) noexcept {
    if (!HasRoom(bytes)) return false;
    mapped += bytes;
    if (notify_at != 0 && mapped >= notify_at) {
      notify_at = mapped * 2;
      if (on_doubled != nullptr) on_doubled();
    }
    return true;
  }
  void GiveBack(std::size_t bytes) noexcept { mapped -= bytes < mapped ? bytes : mapped; }
};

struct LanePolicy {
  const char* file_name = "frozen-arena";  // of the lane's memory, see os::CreateMemfd
  Budget* budget = nullptr;
  bool huge_pages = true;
  bool huge_pages_refused = false;
  std::size_t lane_mapped = 0;  // bytes of this lane

  // Below this a lane gets no huge pages: an arena with a few records must not cost megabytes.
  static constexpr std::size_t kHugeFrom = kGranuleSize;
  // Refused once is refused for good: the lane goes on with OS pages of the usual size.
  void HugePagesRefused() noexcept {
    huge_pages = false;
    huge_pages_refused = true;
  }
  bool WantsHuge() const noexcept { return huge_pages && lane_mapped >= kHugeFrom; }
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_LANE_POLICY_H_
