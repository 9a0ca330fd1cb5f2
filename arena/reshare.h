// Reshare: gives copies back that say again what the sealed file says.
//
// A reader counts a reference and drops it: what it has copied then differs from the file in
// nothing, and the process can have the file's OS page back.
#ifndef FROZEN_ARENA_ARENA_RESHARE_H_
#define FROZEN_ARENA_ARENA_RESHARE_H_

#include <cstddef>

#include "arena/page_accounting.h"
#include "arena/status.h"

namespace frozen_arena {

class Lane;

struct Reshared {
  std::size_t compared_os_pages = 0;  // copies of this process alone that could be compared
  std::size_t dropped_os_pages = 0;   // of these, those that are the file's again
  std::size_t next = 0;  // the number of the OS page with which to go on; 0: that was all
};

// How much of a lane to look at in one go: all, unless said otherwise.
struct ReshareSlice {
  OsPageRange range;
  std::size_t most_compared = ~std::size_t{0};  // OS pages
  // When that was all: what has no copies any more costs fork() nothing any more
  // (copied_parts.h). Who never forks is spared it: the lane is empty in its page tables then.
  bool map_anew = false;
};

// Compares the private OS pages of a slice of `lane`, which is sealed, with the pristine mapping
// and drops those that are equal; adds to `result`. kUnsupported when /proc cannot be read,
// kNoMemory without memory for the list of extents; what was dropped until then stays dropped. What
// is mapped without a pristine side (no memfd) stays as it is.
//
// Nobody may write to the lane between the comparison and the drop, or the write is lost. The
// caller holds the GIL, which every writer of headers needs. Takes the mapping lock to map anew.
Status Reshare(Lane& lane, const ReshareSlice& slice, Reshared* result) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_RESHARE_H_
