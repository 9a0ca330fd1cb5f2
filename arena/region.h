// Region: what the address map says of an address. A region is a run of slices with one owner: the
// segment of a track that a lane has leased, or one large block.
#ifndef FROZEN_ARENA_ARENA_REGION_H_
#define FROZEN_ARENA_ARENA_REGION_H_

#include <cstdint>

namespace frozen_arena {

class Arena;
class Lane;

enum class RegionKind : std::uint8_t { kSegment, kLargeBlock };

struct Region {
  Arena* arena;
  Lane* lane;
  RegionKind kind;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_REGION_H_
