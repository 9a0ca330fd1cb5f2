#include "arena/track.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "arena/mapping_lock.h"
#include "arena/segment.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// A lane's first segment, its second, and so on. What a heap costs mimalloc in time and
// book-keeping grows with the arena that it lies in: small arenas get small tracks, and a big one
// pays for the bigger ones with the bytes that it fills them with.
constexpr std::size_t kLadder[] = {64 * kMiB, 256 * kMiB, kGiB, 4 * kGiB, 16 * kGiB};
constexpr std::size_t kSteps = std::size(kLadder);

// mimalloc refuses the 160th arena (MI_MAX_ARENAS) and keeps one for itself.
constexpr std::size_t kMaxTracks = 150;

// Guarded by the GIL. Never taken down: mimalloc never forgets an arena.
constinit std::array<Track*, kMaxTracks> tracks{};
constinit std::size_t track_count = 0;
constinit Track* common_track = nullptr;

// The more tracks there are, the bigger the next: 40 of each size make 150 tracks hold over 700
// GiB.
std::size_t SizeOfNext(std::size_t lease) {
  const std::size_t step = std::max(std::min(lease, kSteps - 1), track_count / 40);
  return kLadder[std::min(step, kSteps - 1)];
}

[[gnu::tls_model("initial-exec")]] thread_local constinit bool t_book_keeping = false;

}  // namespace

Track::BookKeeping::BookKeeping() noexcept { t_book_keeping = true; }
Track::BookKeeping::~BookKeeping() { t_book_keeping = false; }

bool Track::CommitBookKeeping(std::uintptr_t begin, std::size_t size) {
  const MappingLock lock(MappingMutex());
  book_keeping_.Reserve(SliceOf(begin + size));
  taken_.Reserve(SliceOf(begin + size));
  if (AddressSpace::Map(range_, begin, size, -1, 0) != os::MapResult::kMapped) return false;
  book_keeping_.Set(SliceOf(begin), SliceOf(begin + size));
  Take(begin, begin + size);
  return true;
}

void Track::DecommitBookKeeping(std::uintptr_t begin, std::size_t size) noexcept {
  const MappingLock lock(MappingMutex());
  for (std::uintptr_t at = begin; at < begin + size; at += kSliceSize) {
    if (!book_keeping_.Has(SliceOf(at))) continue;
    AddressSpace::Unmap(range_, at, kSliceSize);
    book_keeping_.Clear(SliceOf(at), SliceOf(at) + 1);
    GiveBack(at, at + kSliceSize);
  }
}

bool Track::Commit(bool commit, void* start, std::size_t size, bool* is_zero, void* self) noexcept {
  Track* const track = static_cast<Track*>(self);
  const auto begin = reinterpret_cast<std::uintptr_t>(start);
  if (track->id_ == nullptr) {  // being made: this is mimalloc's metadata
    if (!commit) return false;
    const bool mapped =
        AddressSpace::Map(track->range_, begin, size, -1, 0) == os::MapResult::kMapped;
    if (mapped) track->metadata_ += size;
    return mapped;
  }
  Segment* const lessee = track->lessee_;
  if (is_zero != nullptr) *is_zero = false;
  try {
    if (commit && (t_book_keeping || track->common_)) return track->CommitBookKeeping(begin, size);
  } catch (const std::bad_alloc&) {
    return false;
  }
  if (commit) return lessee != nullptr && lessee->Commit(begin, size);
  track->DecommitBookKeeping(begin, size);
  if (lessee != nullptr) lessee->Decommit(begin, size);
  return true;  // whoever gets these slices next has to commit them
}

Track* Track::Create(std::size_t size) {
  SetUpMimalloc();
  if (track_count == kMaxTracks) return nullptr;
  if (common_track == nullptr) common_track = Register(kLadder[0], /*common=*/true);
  Track* const track = Register(size, /*common=*/false);
  if (track != nullptr) tracks[track_count++] = track;
  return track;
}

Track* Track::Register(std::size_t size, bool common) {
  std::unique_ptr<Track> track(new Track);
  track->range_ = AddressSpace::Take(size, 64 * kMiB);
  if (!track->range_) return nullptr;
  mi_arena_id_t id = nullptr;
  const bool managed =
      mi_manage_memory(reinterpret_cast<void*>(track->range_.begin), size,  // NOLINT
                       /*is_committed=*/false, /*is_pinned=*/false, /*is_zero=*/true,
                       /*numa_node=*/-1, /*exclusive=*/!common, &Track::Commit, track.get(), &id);
  if (!managed) {
    AddressSpace::Give(track->range_);
    return nullptr;
  }
  track->id_ = id;
  track->common_ = common;
  track->taken_.Set(0, RoundUp(track->metadata_, kSliceSize) >> kSliceShift);
  return track.release();
}

Track* Track::Lease(std::size_t lease, Segment* lessee) {
  const std::size_t wanted = SizeOfNext(lease);
  Track* found = nullptr;
  for (std::size_t i = 0; i < track_count; ++i) {
    Track* const track = tracks[i];
    if (track->lessee_ != nullptr || track->full_ || track->spoilt_) continue;
    // A later segment wants a track of its size; a first one takes whatever has room.
    if (lease > 0 && track->range_.size < wanted) continue;
    const std::size_t used = track->taken_slices_ * kSliceSize;
    if (used > track->range_.size - track->range_.size / 4) continue;
    if (found == nullptr || track->range_.size < found->range_.size) found = track;
  }
  if (found == nullptr) found = Create(wanted);
  if (found != nullptr) found->lessee_ = lessee;
  return found;
}

void Track::EndLeaseOf(const Segment* segment) noexcept {
  if (lessee_ == segment) lessee_ = nullptr;
}

void Track::CollapseMetadata() const noexcept {
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
  std::array<std::uint64_t, kGranuleSize / 4096> entries;  // enough for the smallest OS page
  const std::size_t count = kGranuleSize / os::PageSize();
  for (std::size_t first = 0; IsBookKeeping(first, first + kSlicesPerGranule);
       first += kSlicesPerGranule) {
    const std::uintptr_t granule = range_.begin + first * kSliceSize;
    if (!os::ReadPagemap(granule, entries.data(), count)) return;
    const auto present = std::count_if(entries.begin(), entries.begin() + count,
                                       [](std::uint64_t entry) { return entry & kPresent; });
    if (static_cast<std::size_t>(present) * 4 >= count && !os::Collapse(granule)) return;
  }
}

bool Track::IsBookKeeping(std::size_t first, std::size_t last) const noexcept {
  const std::size_t metadata = metadata_ >> kSliceShift;
  return last <= metadata ||
         book_keeping_.CountIn(std::max(first, metadata), last) == last - std::max(first, metadata);
}

void Track::Take(std::uintptr_t begin, std::uintptr_t end) {
  taken_.Set(SliceOf(begin), SliceOf(end));
  taken_slices_ += SliceOf(end) - SliceOf(begin);
}

void Track::GiveBack(std::uintptr_t begin, std::uintptr_t end) noexcept {
  taken_.Clear(SliceOf(begin), SliceOf(end));
  taken_slices_ -= SliceOf(end) - SliceOf(begin);
  full_ = false;
}

bool Track::GranuleIsFree(std::uintptr_t granule) const noexcept {
  const std::size_t first = SliceOf(granule);
  return granule + kGranuleSize <= range_.end() && !taken_.AnyIn(first, first + kSlicesPerGranule);
}

}  // namespace frozen_arena
