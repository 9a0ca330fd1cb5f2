// Route: where one request for memory goes. Pure functions of what is known, so that a table can
// test them.
#ifndef FROZEN_ARENA_ALLOCATOR_ROUTE_H_
#define FROZEN_ARENA_ALLOCATOR_ROUTE_H_

#include <cstdint>

#include "arena/arena.h"

namespace frozen_arena {

// The three domains of PyMem_SetAllocator, in CPython's order (PyMemAllocatorDomain,
// Include/cpython/pymem.h).
enum class Domain : std::uint8_t { kRaw = 0, kMem = 1, kObj = 2 };
inline constexpr int kDomainCount = 3;

// Objects and their headers apart from everything else: the point of having lanes.
constexpr LaneKind LaneFor(Domain domain) {
  return domain == Domain::kObj ? LaneKind::kObjects : LaneKind::kPayload;
}

// What to do with a reallocation, by where the block lies now. The address decides, never the
// thread.
enum class ReallocRoute : std::uint8_t {
  kOrdinary,    // not ours: the wrapped allocator
  kSameArena,   // ours and building: it stays in its arena and lane
  kLeaveArena,  // ours and final: a copy in the wrapped allocator, the old block is freed as it
                // lies
};

constexpr ReallocRoute RouteRealloc(bool ours, ArenaState state) {
  if (!ours) return ReallocRoute::kOrdinary;
  return state == ArenaState::kBuilding ? ReallocRoute::kSameArena : ReallocRoute::kLeaveArena;
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ALLOCATOR_ROUTE_H_
