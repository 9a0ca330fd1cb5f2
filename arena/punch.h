// Punching: giving back the OS pages that hold no live block, right before the seal.
#ifndef FROZEN_ARENA_ARENA_PUNCH_H_
#define FROZEN_ARENA_ARENA_PUNCH_H_

#include <cstddef>
#include <cstdint>

#include "arena/backing.h"
#include "arena/bit_set.h"

namespace frozen_arena {

// Memory from `base` on, whose place in the file is its distance from there. OS pages first to last
// are looked at: what is not `live` goes back. `huge` are the granules that are one huge page;
// those that are no longer one are taken out. Returns the bytes that went back; a refused punch
// leaves free bytes behind. The caller holds the mapping lock.
std::size_t PunchFree(Backing* backing, std::uintptr_t base, std::size_t first, std::size_t last,
                      const BitSet& live, BitSet* huge) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_PUNCH_H_
