// Region: what the address map says of an address. A region is a run of slices with one owner: the
// segment of a track that a lane has leased, one large block, a pool of spans or runs, or a lane
// that is a part of a file.
#ifndef FROZEN_ARENA_ARENA_REGION_H_
#define FROZEN_ARENA_ARENA_REGION_H_

#include <cstddef>
#include <cstdint>

namespace frozen_arena {

class Arena;
class Lane;

enum class RegionKind : std::uint8_t { kSegment, kLargeBlock, kSpanPool, kRunPool, kFilePart };

// Called once for each live block. `size` is the usable size of the block in bytes. Returns false
// to stop. May not allocate from, or free into, the arena that is visited.
using BlockVisitor = bool (*)(void* context, void* block, std::size_t size);

struct Region {
  Arena* arena;
  Lane* lane;
  RegionKind kind;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_REGION_H_
