// Segment: a lane's lease of a track, with the mimalloc heap that serves it and the file behind it.
//
// owned: slices that the heap holds. mapped: slices behind which our file lies; owned is a part of
// mapped, because memory is mapped ahead by the granule where that makes a huge page. shared: those
// of the mapped that a child would write to together with us. Equation kept at every step: every
// owned slice is mapped, is taken in the track, and is entered in the address map for this segment.
#ifndef FROZEN_ARENA_ARENA_SEGMENT_H_
#define FROZEN_ARENA_ARENA_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/backing.h"
#include "arena/bit_set.h"
#include "arena/directory.h"
#include "arena/lane_policy.h"
#include "arena/mimalloc_api.h"
#include "arena/region.h"
#include "arena/stats.h"
#include "arena/track.h"

namespace frozen_arena {

class Segment : public Region {
 public:
  // A segment on a leased track, or nullptr. `number` counts the segments of the lane. May throw
  // std::bad_alloc. Needs the GIL; takes the mapping lock, as the destructor and Seal do.
  static Segment* Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy);
  // Destroys the heap and gives slices and memory back. The caller holds the lock of the walks.
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  mi_heap_t* heap() const noexcept { return heap_; }
  Track* track() const noexcept { return track_; }
  const Backing& backing() const noexcept { return backing_; }

  // mimalloc's commit callback, through the track, from any thread. The caller holds the mapping
  // lock, here and in the next three.
  bool Commit(std::uintptr_t begin, std::size_t size) noexcept;
  void Decommit(std::uintptr_t begin,
                std::size_t size) noexcept;  // what this segment does not own is left alone
  // Gives up the mappings of slices that it does not own: mapped ahead, or owned once.
  void UnmapUnowned(std::uintptr_t begin, std::uintptr_t end) noexcept;
  // The track may serve others from now on.
  void EndLease() noexcept;

  // The caller holds the lock of the walks, here and in the next.
  bool VisitBlocks(BlockVisitor visitor, void* context) const noexcept;

  // Gives back what holds no live block, remaps and seals. Ends the lease. False for want of memory
  // for the lists that it takes; then all is unsealed, and counted as such.
  bool Seal(LaneStats* stats, Directory* directory) noexcept;
  // Makes shared mappings private, those that the kernel lets. The caller holds the mapping lock.
  void EndSharing() noexcept;

  std::vector<Extent> OwnedExtents() const;
  std::size_t owned_bytes() const noexcept { return owned_.Count() * kSliceSize; }

 private:
  Segment(Arena* owner, Lane* owner_lane, LanePolicy* policy) noexcept
      : Region{owner, owner_lane, RegionKind::kSegment},
        backing_(policy->file_name),
        policy_(policy) {}

  std::size_t SliceOf(std::uintptr_t address) const noexcept {
    return (address - track_->range().begin) >> kSliceShift;
  }
  std::uintptr_t AddressOf(std::size_t slice) const noexcept {
    return track_->range().begin + (slice << kSliceShift);
  }
  Extent ExtentOf(std::size_t first, std::size_t last) const noexcept {
    return {AddressOf(first), (last - first) * kSliceSize, first * kSliceSize};
  }
  // These two need room in the sets.
  bool MapSlices(std::size_t first, std::size_t last) noexcept;
  bool MapGranuleAhead(std::uintptr_t granule) noexcept;
  BitSet LiveOsPages(std::size_t* bytes) const;
  void Describe(const std::vector<Extent>& extents, const BitSet& live,
                Directory* directory) const noexcept;
  bool Remap(const std::vector<Extent>& extents) noexcept;
  std::vector<Extent> Extents(const BitSet& slices) const;

  Track* track_ = nullptr;
  mi_heap_t* heap_ = nullptr;
  Backing backing_;
  LanePolicy* policy_;
  BitSet owned_;
  BitSet mapped_;
  BitSet shared_;
  BitSet huge_;  // granules of the track that are one huge page
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_SEGMENT_H_
