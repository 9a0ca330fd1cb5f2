// Track: a long-lived mimalloc arena, leased to one segment at a time.
//
// mimalloc registers at most 160 arenas in a process and never forgets one, so arenas of ours
// cannot be mimalloc arenas: they take turns on tracks. A track is address space; its memory comes
// slice by slice from the segment that holds the lease, through mimalloc's commit callback.
// mimalloc's own metadata lies at the start of the track, outside everything that is ever sealed:
// mimalloc writes there for as long as it likes. It has a file behind it, which is mapped shared
// until the first seal or fork and private from then on. fork() copies the page tables of ordinary
// memory (of 120 bytes for 64 KiB of data here), but of a private mapping only once something has
// been written there.
#ifndef FROZEN_ARENA_ARENA_TRACK_H_
#define FROZEN_ARENA_ARENA_TRACK_H_

#include <cstddef>
#include <cstdint>

#include "arena/address_space.h"
#include "arena/backing.h"
#include "arena/bit_set.h"
#include "arena/mimalloc_api.h"
#include "arena/units.h"

namespace frozen_arena {

class Segment;

class Track {
 public:
  // While one lives, what mimalloc takes from any track on this thread is its own book-keeping (a
  // theap fills a slice), which no segment owns, and lies with mimalloc's metadata.
  class BookKeeping {
   public:
    BookKeeping() noexcept;
    ~BookKeeping();
    BookKeeping(const BookKeeping&) = delete;
    BookKeeping& operator=(const BookKeeping&) = delete;
  };

  // A track for the `lease`-th segment of a lane (0 for its first), leased to `lessee`: one that
  // has room, else a new one. nullptr when address space or mimalloc's table is exhausted. May
  // throw std::bad_alloc.
  static Track* Lease(std::size_t lease, Segment* lessee);

  // Ends the lease if `segment` holds it. Slices that the segment owns stay taken. The caller holds
  // the mapping lock, here and below.
  void EndLeaseOf(const Segment* segment) noexcept;

  // Called by the segment: the slices of [begin, end) belong to a segment, or to nobody again.
  // Take needs room.
  void Reserve(std::size_t slices) { taken_.Reserve(slices); }
  void Take(std::uintptr_t begin, std::uintptr_t end) noexcept;
  void GiveBack(std::uintptr_t begin, std::uintptr_t end) noexcept;
  // No slice of the granule at `granule` belongs to anybody.
  bool GranuleIsFree(std::uintptr_t granule) const noexcept;

  // mimalloc could not place a block here: others should look elsewhere until something is given
  // back.
  void MarkFull() noexcept { full_ = true; }
  // Somebody else has mapped something inside: the range cannot be trusted any more.
  void MarkSpoilt() noexcept { spoilt_ = true; }

  // Makes the book-keeping of all tracks private, as far as the kernel lets; a child must not write
  // there together with us. At each seal, and on both sides of every fork. The caller holds the
  // mapping lock.
  static void EndSharing() noexcept;

  mi_arena_id_t id() const noexcept { return id_; }
  const AddressRange& range() const noexcept { return range_; }

 private:
  Track() = default;
  static Track* FindFree(std::size_t lease, std::size_t wanted) noexcept;
  static Track* Create(std::size_t size);
  // Makes a range known to mimalloc. The common one, never leased, is where mimalloc keeps what
  // belongs to no arena: by itself it would map 64 MiB for that, which count against RLIMIT_AS.
  static bool Register(std::size_t size, bool common, Track** place);
  static bool Commit(bool commit, void* start, std::size_t size, bool* is_zero,
                     void* self) noexcept;
  bool MapBookKeeping(std::uintptr_t begin, std::size_t size);
  bool CommitBookKeeping(std::uintptr_t begin, std::size_t size) noexcept;
  void Decommit(std::uintptr_t begin, std::size_t size) noexcept;
  void DecommitBookKeeping(std::uintptr_t begin, std::size_t size) noexcept;
  void EndSharingOfBookKeeping() noexcept;
  std::size_t SliceOf(std::uintptr_t address) const noexcept {
    return (address - range_.begin) >> kSliceShift;
  }
  Extent ExtentOf(std::size_t first, std::size_t last) const noexcept {
    return {range_.begin + first * kSliceSize, (last - first) * kSliceSize, first * kSliceSize};
  }

  AddressRange range_;
  mi_arena_id_t id_ = nullptr;
  Segment* lessee_ = nullptr;
  BitSet taken_;  // by segments and by book-keeping
  BitSet book_keeping_;
  BitSet shared_;  // slices that a child would write to together with us
  Backing backing_{"frozen-arena:book-keeping"};  // of metadata and book-keeping
  std::size_t taken_slices_ = 0;
  bool common_ = false;
  bool full_ = false;
  bool spoilt_ = false;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_TRACK_H_
