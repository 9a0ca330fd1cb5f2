#include "arena/lane.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include <unistd.h>

#include "arena/check.h"
#include "arena/mapping_lock.h"
#include "arena/walk_lock.h"

namespace frozen_arena {
namespace {

// The theap (mimalloc's thread-local side of a heap) that this thread used last, by lane. Asking
// mimalloc for it each time would cost as much as the allocation.
struct CachedTheap {
  std::uint64_t epoch = 0;
  mi_theap_t* theap = nullptr;
};
[[gnu::tls_model("initial-exec")]] thread_local constinit CachedTheap t_theaps[2];

// Hands the blocks of a thread that ends to the heaps, under the lock of the walks. mimalloc would
// do that by itself a moment later, without. Not for the main thread, which ends with the process.
struct Leaving {
  bool armed = false;
  ~Leaving() {
    if (!armed || ::gettid() == ::getpid()) return;
    const WalkLock lock(WalkMutex());
    for (CachedTheap& cached : t_theaps) cached = {};
    LeaveMimalloc();
  }
};
thread_local Leaving t_leaving;

// mimalloc aligns blocks of 16 bytes and more to 16, as pymalloc aligns all.
constexpr std::size_t BlockSize(std::size_t size) noexcept {
  return size < 16 ? 16 : RoundUp(size, 8);
}

std::uint64_t NextEpoch() noexcept {
  static std::atomic<std::uint64_t> epoch{0};
  return epoch.fetch_add(1, std::memory_order_relaxed) + 1;
}

// What frozen_arena/process_memory.py knows the lanes by.
constexpr std::array<const char*, 2> kFileNames = {"frozen-arena:objects", "frozen-arena:payload"};

}  // namespace

Lane::Lane(Arena* arena, std::size_t index, Budget* budget, bool huge_pages) noexcept
    : arena_(arena), index_(index), epoch_(NextEpoch()) {
  policy_.file_name = kFileNames[index];
  policy_.budget = budget;
  policy_.huge_pages = huge_pages;
}

mi_theap_t* Lane::TheapOfThisThread() noexcept {
  CachedTheap& cached = t_theaps[index_];
  if (cached.epoch == epoch_) return cached.theap;
  if (segments_.empty()) return nullptr;
  t_leaving.armed = true;
  const Track::BookKeeping theap_lies_outside;
  mi_theap_t* const theap = mi_heap_theap(segments_.back()->heap());
  if (theap != nullptr) cached = {epoch_, theap};
  return theap;
}

Segment* Lane::Extend() noexcept {
  if (policy_.budget->exhausted) return nullptr;
  try {
    if (!segments_.empty()) {
      const MappingLock lock(MappingMutex());
      segments_.back()->track()->MarkFull();
    }
    std::unique_ptr<Segment> segment(Segment::Create(arena_, this, segments_.size(), &policy_));
    if (segment == nullptr) return nullptr;
    const MappingLock lock(MappingMutex());
    segments_.reserve(segments_.size() + 1);
    segments_.push_back(std::move(segment));
    epoch_ = NextEpoch();
    return segments_.back().get();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* Lane::Allocate(std::size_t size) noexcept {
  const CachedTheap& cached = t_theaps[index_];
  if (size < SpanLane::kSmallest && cached.epoch == epoch_) [[likely]] {
    if (void* const block = mi_theap_malloc_small(cached.theap, BlockSize(size))) [[likely]]
      return block;
  }
  return AllocateSlowly(size);
}

void* Lane::AllocateSlowly(std::size_t size) noexcept {
  if (size > RunLane::kLargest) return AllocateLarge(size);
  if (size >= RunLane::kSmallest) return runs_.Allocate(size, arena_, this, &policy_);
  if (size >= SpanLane::kSmallest && size <= SpanLane::kLargest)
    return spans_.Allocate(size, arena_, this, &policy_);
  if (mi_theap_t* const theap = TheapOfThisThread()) {
    if (void* const block = mi_theap_malloc(theap, BlockSize(size))) return block;
  }
  if (Extend() == nullptr) return nullptr;
  mi_theap_t* const theap = TheapOfThisThread();
  void* const block = theap == nullptr ? nullptr : mi_theap_malloc(theap, BlockSize(size));
  // Twice in a row, the second time on a track of its own: not each block shall try another one.
  if (block == nullptr) policy_.budget->exhausted = true;
  return block;
}

void* Lane::AllocateLarge(std::size_t size) noexcept {
  try {
    std::unique_ptr<LargeBlock> created(LargeBlock::Create(arena_, this, size, &policy_));
    if (created == nullptr) return nullptr;
    LargeBlock* const block = created.get();
    {
      const MappingLock lock(MappingMutex());
      large_[block->begin()].swap(created);
    }
    if (block->Resize(size)) return block->address();
    FreeLarge(block);
  } catch (const std::bad_alloc&) {
  }
  return nullptr;
}

void Lane::FreeSmall(void* block) noexcept { mi_free(block); }

void Lane::FreeLarge(LargeBlock* block) noexcept {
  std::unique_ptr<LargeBlock> freed;
  const MappingLock lock(MappingMutex());
  const auto entry = large_.find(block->begin());
  freed.swap(entry->second);
  large_.erase(entry);
}

template <typename Visit>
bool Lane::EveryLarge(Visit visit) const {
  for (const auto& pool : spans_.pools()) {
    if (!visit(pool.get())) return false;
  }
  for (const auto& pool : runs_.pools()) {
    if (!visit(pool.get())) return false;
  }
  return std::all_of(large_.begin(), large_.end(),
                     [&](const auto& entry) { return visit(entry.second.get()); });
}

bool Lane::VisitBlocks(BlockVisitor visitor, void* context) const noexcept {
  for (const auto& segment : segments_) {
    if (!segment->VisitBlocks(visitor, context)) return false;
  }
  return EveryLarge([&](const LargeBlock* block) { return block->VisitBlocks(visitor, context); });
}

bool Lane::Seal(Directory* directory) noexcept {
  directory->BeginLane(index_);
  stats_.huge_pages_refused = policy_.huge_pages_refused;
  bool had_memory = true;
  for (const auto& segment : segments_)
    had_memory = segment->Seal(&stats_, directory) && had_memory;
  EveryLarge([&](LargeBlock* block) {
    had_memory = block->Seal(&stats_, directory) && had_memory;
    return true;
  });
  return had_memory;
}

void Lane::Abandon() noexcept {
  const MappingLock lock(MappingMutex());
  EndLeases();
}

void Lane::EndSharing() noexcept {
  for (const auto& segment : segments_) segment->EndSharing();
  EveryLarge([](LargeBlock* block) {
    block->EndSharing();
    return true;
  });
}

void Lane::EndLeases() noexcept {
  for (const auto& segment : segments_) segment->EndLease();
}

void Lane::Release() noexcept {
  std::vector<std::unique_ptr<Segment>> segments;
  std::unordered_map<std::uintptr_t, std::unique_ptr<LargeBlock>> large;
  {
    const MappingLock lock(MappingMutex());
    segments_.swap(segments);
    large_.swap(large);
    epoch_ = NextEpoch();
  }
  spans_.Release();
  runs_.Release();
  file_.reset();
}

os::MapResult Lane::MapFile(int descriptor, FileLane&& what, Directory* directory) {
  directory->BeginLane(index_);
  if (what.size == 0) return os::MapResult::kMapped;
  LaneStats mine;
  mine.mapped_bytes = what.size;
  mine.live_bytes = what.live_bytes;
  mine.free_bytes = what.size - what.live_bytes;
  os::MapResult result = os::MapResult::kRefused;
  file_ = FilePart::Map(arena_, this, descriptor, std::move(what), &result);
  if (file_ == nullptr) return result;
  policy_.budget->mapped += mine.mapped_bytes;
  policy_.lane_mapped += mine.mapped_bytes;
  stats_ += mine;
  file_->Describe(directory);
  return result;
}

std::vector<Extent> Lane::Extents() const {
  std::vector<Extent> extents;
  for (const auto& segment : segments_) {
    const std::vector<Extent> owned = segment->OwnedExtents();
    extents.insert(extents.end(), owned.begin(), owned.end());
  }
  if (file_ != nullptr) extents.push_back({file_->begin(), file_->size(), 0});
  EveryLarge([&](const LargeBlock* block) {
    if (block->size() != 0) extents.push_back({block->begin(), block->size(), 0});
    return true;
  });
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.address < b.address; });
  return extents;
}

const void* Lane::Pristine(const Region* region, const void* address) const noexcept {
  if (region->kind == RegionKind::kFilePart) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    const std::uintptr_t there = static_cast<const FilePart*>(region)->Pristine(at);
    return reinterpret_cast<const void*>(there);  // NOLINT(performance-no-int-to-ptr)
  }
  const Backing& backing = region->kind == RegionKind::kSegment
                               ? static_cast<const Segment*>(region)->backing()
                               : static_cast<const LargeBlock*>(region)->backing();
  const std::uintptr_t pristine = backing.Pristine(reinterpret_cast<std::uintptr_t>(address));
  return reinterpret_cast<const void*>(pristine);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace frozen_arena
