#include "arena/track.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "arena/address_map.h"
#include "arena/check.h"
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

// Guarded by the GIL; a fork, which may come from a thread without it, goes through them too: what
// is in none of these places has no shared memory, and they change under the mapping lock. Never
// taken down: mimalloc never forgets an arena.
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

bool Track::MapBookKeeping(std::uintptr_t begin, std::size_t size) {
  FZA_DCHECK(begin % kSliceSize == 0 && size % kSliceSize == 0);
  const std::size_t first = SliceOf(begin);
  const std::size_t last = SliceOf(begin + size);
  shared_.Reserve(last);
  os::MapResult result = backing_.Map(range_, ExtentOf(first, last));
  if (result == os::MapResult::kMapped && backing_.mode() == BackingMode::kShared)
    shared_.Set(first, last);
  if (result == os::MapResult::kRefused) result = AddressSpace::Map(range_, begin, size, -1, 0);
  return result == os::MapResult::kMapped;
}

bool Track::CommitBookKeeping(std::uintptr_t begin, std::size_t size) noexcept {
  try {
    book_keeping_.Reserve(SliceOf(begin + size));
    taken_.Reserve(SliceOf(begin + size));
    if (lessee_ != nullptr) lessee_->UnmapUnowned(begin, begin + size);  // ahead, or once its own
    if (!MapBookKeeping(begin, size)) return false;
    book_keeping_.Set(SliceOf(begin), SliceOf(begin + size));
    Take(begin, begin + size);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// mimalloc has freed these slices. They may be those of a segment whose lease has ended: blocks of
// an abandoned arena die one by one, and a thread that ends frees what its theap has kept.
void Track::Decommit(std::uintptr_t begin, std::size_t size) noexcept {
  for (std::uintptr_t at = begin; at < begin + size; at += kSliceSize) {
    Region* const owner = AddressMap::Find(at);
    if (owner == nullptr || owner->kind != RegionKind::kSegment) continue;
    auto* const segment = static_cast<Segment*>(owner);
    segment->Decommit(at, kSliceSize);
    if (segment != lessee_) segment->UnmapUnowned(at, at + kSliceSize);
  }
  DecommitBookKeeping(begin, size);
}

void Track::DecommitBookKeeping(std::uintptr_t begin, std::size_t size) noexcept {
  for (std::uintptr_t at = begin; at < begin + size; at += kSliceSize) {
    const std::size_t slice = SliceOf(at);
    if (!book_keeping_.Has(slice)) continue;
    if (shared_.Has(slice)) backing_.Punch(ExtentOf(slice, slice + 1));
    AddressSpace::Unmap(range_, at, kSliceSize);
    shared_.Clear(slice, slice + 1);
    book_keeping_.Clear(slice, slice + 1);
    GiveBack(at, at + kSliceSize);
  }
}

bool Track::Commit(bool commit, void* start, std::size_t size, bool* is_zero, void* self) noexcept {
  Track* const track = static_cast<Track*>(self);
  const auto begin = reinterpret_cast<std::uintptr_t>(start);
  // One lock from here on: a thread that ends comes here without the GIL, and the segment that it
  // finds must not go meanwhile.
  const MappingLock lock(MappingMutex());
  const bool being_made = track->id_ == nullptr;  // this is mimalloc's metadata
  if (is_zero != nullptr && !being_made) *is_zero = false;
  if (commit && (being_made || t_book_keeping || track->common_))
    return track->CommitBookKeeping(begin, size);
  if (commit) return track->lessee_ != nullptr && track->lessee_->Commit(begin, size);
  track->Decommit(begin, size);
  return true;  // whoever gets these slices next has to commit them
}

Track* Track::Create(std::size_t size) {
  SetUpMimalloc();
  if (track_count == kMaxTracks) return nullptr;
  if (common_track == nullptr) Register(kLadder[0], /*common=*/true, &common_track);
  Track** const place = &tracks[track_count];
  if (Register(size, /*common=*/false, place)) ++track_count;
  return *place;
}

bool Track::Register(std::size_t size, bool common, Track** place) {
  std::unique_ptr<Track> made(new Track);
  Track* const track = made.get();
  track->common_ = common;
  {
    const MappingLock lock(MappingMutex());
    track->range_ = AddressSpace::Take(size, 64 * kMiB);
    if (!track->range_) return false;
    *place = made.release();
  }
  mi_arena_id_t id = nullptr;
  if (mi_manage_memory(reinterpret_cast<void*>(track->range_.begin), size,  // NOLINT
                       /*is_committed=*/false, /*is_pinned=*/false, /*is_zero=*/true,
                       /*numa_node=*/-1, /*exclusive=*/!common, &Track::Commit, track, &id)) {
    track->id_ = id;
    return true;
  }
  const MappingLock lock(MappingMutex());
  track->DecommitBookKeeping(track->range_.begin, track->range_.size);
  AddressSpace::Give(track->range_);
  *place = nullptr;
  delete track;
  return false;
}

Track* Track::Lease(std::size_t lease, Segment* lessee) {
  const std::size_t wanted = SizeOfNext(lease);
  Track* found = FindFree(lease, wanted);
  if (found == nullptr) found = Create(wanted);
  const MappingLock lock(MappingMutex());
  if (found != nullptr) found->lessee_ = lessee;
  return found;
}

Track* Track::FindFree(std::size_t lease, std::size_t wanted) noexcept {
  const MappingLock lock(MappingMutex());
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
  return found;
}

void Track::EndLeaseOf(const Segment* segment) noexcept {
  if (lessee_ == segment) lessee_ = nullptr;
}

void Track::EndSharing() noexcept {
  for (Track* const track : tracks) {
    if (track != nullptr) track->EndSharingOfBookKeeping();
  }
  if (common_track != nullptr) common_track->EndSharingOfBookKeeping();
}

void Track::EndSharingOfBookKeeping() noexcept {
  shared_.ForEachRun([this](std::size_t first, std::size_t last) {
    if (backing_.MakePrivate(ExtentOf(first, last))) shared_.Clear(first, last);
  });
  if (shared_.Empty()) backing_.CloseFile();
}

void Track::Take(std::uintptr_t begin, std::uintptr_t end) noexcept {
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
