#include "arena/segment.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <new>

#include "arena/address_map.h"
#include "arena/check.h"
#include "arena/mapping_lock.h"
#include "arena/punch.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

struct Visit {
  BlockVisitor visitor;
  void* context;
};

bool VisitOne(const mi_heap_t* /*heap*/, const mi_heap_area_t* /*area*/, void* block,
              std::size_t size, void* argument) {
  if (block == nullptr) return true;  // the call that announces an area
  const Visit* const visit = static_cast<const Visit*>(argument);
  return visit->visitor(visit->context, block, size);
}

struct LivePages {
  BitSet* pages;
  std::uintptr_t base;
  int shift;         // of the size of an OS page
  std::size_t last;  // the one marked last; neighbours are often on the same one
  std::size_t bytes;
};

bool MarkLive(void* context, void* block, std::size_t size) {
  LivePages* const live = static_cast<LivePages*>(context);
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(block) - live->base;
  const std::size_t first = begin >> live->shift;
  const std::size_t last = (begin + size - 1) >> live->shift;
  live->bytes += size;
  if (first == last && last == live->last) return true;
  live->pages->Set(first, last + 1);
  live->last = last;
  return true;
}

bool DescribeArea(const mi_heap_t* /*heap*/, const mi_heap_area_t* area, void* block,
                  std::size_t /*size*/, void* directory) {
  if (block != nullptr || area->used == 0) return true;
  static_cast<Directory*>(directory)->AddArea(reinterpret_cast<std::uintptr_t>(area->blocks),
                                              area->committed, area->full_block_size);
  return true;
}

bool CountLive(void* context, void* /*block*/, std::size_t size) {
  *static_cast<std::size_t*>(context) += size;
  return true;
}

}  // namespace

Segment* Segment::Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy) {
  std::unique_ptr<Segment> segment(new Segment(arena, lane, policy));
  segment->track_ = Track::Lease(number, segment.get());
  if (segment->track_ == nullptr) return nullptr;
  segment->heap_ = mi_heap_new_in_arena(segment->track_->id());
  if (segment->heap_ == nullptr) return nullptr;
  return segment.release();
}

Segment::~Segment() {
  if (track_ == nullptr) return;
  // The heap's slices become free in mimalloc's eyes, and decommitted: the next lessee is asked for
  // memory.
  if (heap_ != nullptr) mi_heap_destroy(heap_);
  const MappingLock lock(MappingMutex());
  owned_.ForEachRun([this](std::size_t first, std::size_t last) {
    AddressMap::Assign(AddressOf(first), AddressOf(last), nullptr);
    track_->GiveBack(AddressOf(first), AddressOf(last));
    policy_->budget->GiveBack((last - first) * kSliceSize);
  });
  mapped_.ForEachRun([this](std::size_t first, std::size_t last) {
    AddressSpace::Unmap(track_->range(), AddressOf(first), (last - first) * kSliceSize);
  });
  track_->EndLeaseOf(this);
}

bool Segment::MapSlices(std::size_t first, std::size_t last) noexcept {
  for (std::size_t i = first; i < last;) {
    if (mapped_.Has(i)) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < last && !mapped_.Has(end)) ++end;
    const os::MapResult result = backing_.Map(track_->range(), ExtentOf(i, end));
    if (result == os::MapResult::kOccupied) track_->MarkSpoilt();
    if (result != os::MapResult::kMapped) return false;
    mapped_.Set(i, end);
    if (backing_.mode() == BackingMode::kShared) shared_.Set(i, end);
    i = end;
  }
  return true;
}

bool Segment::MapGranuleAhead(std::uintptr_t granule) noexcept {
  if (!policy_->WantsHuge() || backing_.mode() != BackingMode::kShared) return false;
  if (granule < track_->range().begin || !track_->GranuleIsFree(granule)) return false;
  const std::size_t first = SliceOf(granule);
  if (mapped_.AnyIn(first, first + kSlicesPerGranule)) return false;
  if (!MapSlices(first, first + kSlicesPerGranule)) return false;
  *reinterpret_cast<volatile char*>(granule) =
      0;  // NOLINT(performance-no-int-to-ptr): collapse wants one touched
  if (os::Collapse(granule)) {
    huge_.Set((granule - track_->range().begin) >> kGranuleShift,
              ((granule - track_->range().begin) >> kGranuleShift) + 1);
  } else {
    policy_->HugePagesRefused();
  }
  return true;
}

bool Segment::Commit(std::uintptr_t begin, std::size_t size) noexcept {
  try {
    const std::size_t first = SliceOf(begin);
    const std::size_t last = SliceOf(begin + size);
    const std::size_t fresh = (last - first) - owned_.CountIn(first, last);
    // As far as a granule ahead reaches: from here on nothing throws.
    const std::size_t end = RoundUp(last + kSlicesPerGranule, kSlicesPerGranule);
    for (BitSet* const slices : {&owned_, &mapped_, &shared_}) slices->Reserve(end);
    huge_.Reserve(end / kSlicesPerGranule);
    track_->Reserve(last);
    if (!policy_->budget->Take(fresh * kSliceSize)) {
      policy_->budget->exhausted = true;
      return false;
    }
    for (std::uintptr_t granule = RoundDown(begin, kGranuleSize); granule < begin + size;
         granule += kGranuleSize) {
      MapGranuleAhead(granule);
    }
    if (!MapSlices(first, last) || !AddressMap::Assign(begin, begin + size, this)) {
      policy_->budget->GiveBack(fresh * kSliceSize);
      return false;
    }
    for (std::size_t i = first; i < last; ++i) {
      if (!owned_.Has(i)) track_->Take(AddressOf(i), AddressOf(i + 1));
    }
    owned_.Set(first, last);
    policy_->lane_mapped += fresh * kSliceSize;
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Segment::Decommit(std::uintptr_t begin, std::size_t size) noexcept {
  const std::size_t first = SliceOf(begin);
  const std::size_t last = SliceOf(begin + size);
  for (std::size_t i = first; i < last; ++i) {
    if (!owned_.Has(i)) continue;
    owned_.Clear(i, i + 1);
    AddressMap::Assign(AddressOf(i), AddressOf(i + 1), nullptr);
    track_->GiveBack(AddressOf(i), AddressOf(i + 1));
    policy_->budget->GiveBack(kSliceSize);
    policy_->lane_mapped -= kSliceSize;
  }
}

bool Segment::VisitBlocks(BlockVisitor visitor, void* context) const noexcept {
  Visit visit{visitor, context};
  return mi_heap_visit_blocks(heap_, /*visit_blocks=*/true, &VisitOne, &visit);
}

void Segment::UnmapUnowned(std::uintptr_t begin, std::uintptr_t end) noexcept {
  const std::size_t last = std::min(SliceOf(end), mapped_.Limit());
  for (std::size_t i = mapped_.NextMember(SliceOf(begin), last); i < last;
       i = mapped_.NextMember(i + 1, last)) {
    if (owned_.Has(i)) continue;
    backing_.Punch(ExtentOf(i, i + 1));
    AddressSpace::Unmap(track_->range(), AddressOf(i), kSliceSize);
    mapped_.Clear(i, i + 1);
    shared_.Clear(i, i + 1);
    const std::size_t granule = (AddressOf(i) - track_->range().begin) >> kGranuleShift;
    huge_.Clear(granule, granule + 1);
  }
}

void Segment::EndLease() noexcept {
  UnmapUnowned(track_->range().begin, track_->range().end());
  track_->EndLeaseOf(this);
}

BitSet Segment::LiveOsPages(std::size_t* bytes) const {
  BitSet pages;
  std::size_t end = 0;
  owned_.ForEachRun([&end](std::size_t, std::size_t last) { end = last; });
  pages.Reserve(end * (kSliceSize / os::PageSize()));
  LivePages live{&pages, track_->range().begin, std::countr_zero(os::PageSize()), ~std::size_t{0},
                 0};
  VisitBlocks(&MarkLive, &live);
  *bytes = live.bytes;
  return pages;
}

bool Segment::Remap(const std::vector<Extent>& extents) noexcept {
  const std::size_t granted = backing_.Seal(extents);
  for (std::size_t i = 0; i < granted; ++i) {
    const std::size_t first = SliceOf(extents[i].address);
    shared_.Clear(first, first + extents[i].size / kSliceSize);
  }
  return granted == extents.size();
}

void Segment::Describe(const std::vector<Extent>& extents, const BitSet& live,
                       Directory* directory) const noexcept {
  for (const Extent& extent : extents) {
    directory->AddExtent(extent, backing_.Pristine(extent.address), &live, track_->range().begin);
  }
  mi_heap_visit_blocks(heap_, /*visit_blocks=*/false, &DescribeArea, directory);
}

bool Segment::Seal(LaneStats* stats, Directory* directory) noexcept {
  {
    // Empty mimalloc pages go back, lists of other threads come home. A thread that has not
    // allocated here gets a theap for it.
    const Track::BookKeeping theap_lies_outside;
    mi_heap_collect(heap_, /*force=*/true);
  }
  const MappingLock lock(MappingMutex());
  LaneStats mine;
  bool sealed = false;
  bool had_memory = true;
  try {
    const BitSet live = LiveOsPages(&mine.live_bytes);
    const std::vector<Extent> owned = OwnedExtents();
    UnmapUnowned(track_->range().begin, track_->range().end());
    const bool ready = backing_.ReadyToSeal(owned, &live);
    if (backing_.mode() == BackingMode::kMoved) huge_ = {};  // the new file is of small OS pages
    if (ready || backing_.mode() == BackingMode::kAnonymous) {
      const std::size_t per_slice = kSliceSize / os::PageSize();
      owned_.ForEachRun([&](std::size_t first, std::size_t last) {
        mine.punched_bytes += PunchFree(&backing_, track_->range().begin, first * per_slice,
                                        last * per_slice, live, &huge_);
      });
    }
    if (ready) {
      sealed = Remap(owned) && backing_.file_sealed();
    }
    Describe(owned, live, directory);
  } catch (const std::bad_alloc&) {
    had_memory = false;
    mine.live_bytes = 0;
    VisitBlocks(&CountLive, &mine.live_bytes);
  }
  mine.mapped_bytes = owned_bytes();
  mine.free_bytes = mine.mapped_bytes - mine.live_bytes - mine.punched_bytes;
  mine.huge_bytes = huge_.Count() * kGranuleSize;
  if (!sealed) mine.unsealed_bytes = mine.mapped_bytes;
  if (!sealed && shared_.Empty()) backing_.CloseFile();  // all of it is private
  *stats += mine;
  EndLease();
  return had_memory;
}

void Segment::EndSharing() noexcept {
  if (shared_.Empty()) return;
  shared_.ForEachRun([this](std::size_t first, std::size_t last) {
    if (backing_.MakePrivate(ExtentOf(first, last))) shared_.Clear(first, last);
  });
  if (shared_.Empty()) backing_.CloseFile();
}

std::vector<Extent> Segment::Extents(const BitSet& slices) const {
  std::vector<Extent> extents;
  slices.ForEachRun(
      [&](std::size_t first, std::size_t last) { extents.push_back(ExtentOf(first, last)); });
  return extents;
}

std::vector<Extent> Segment::OwnedExtents() const { return Extents(owned_); }

}  // namespace frozen_arena
