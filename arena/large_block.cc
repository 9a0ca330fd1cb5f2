#include "arena/large_block.h"

#include <algorithm>
#include <memory>
#include <new>

#include "arena/address_map.h"
#include "arena/mapping_lock.h"
#include "arena/punch.h"

namespace frozen_arena {

LargeBlock* LargeBlock::Create(Arena* arena, Lane* lane, std::size_t size, LanePolicy* policy) {
  // As malloc does: what the machine does not have is refused now, not found out page by page.
  if (size > os::TotalMemory() || !policy->budget->HasRoom(size)) return nullptr;
  std::unique_ptr<LargeBlock> block(new LargeBlock(arena, lane, policy, RegionKind::kLargeBlock));
  return block->Reserve(2 * size) ? block.release() : nullptr;
}

bool LargeBlock::Reserve(std::size_t size) noexcept {
  const MappingLock lock(MappingMutex());
  range_ = AddressSpace::Take(RoundUp(size, kGranuleSize), kGranuleSize);
  return static_cast<bool>(range_);
}

LargeBlock::~LargeBlock() {
  const MappingLock lock(MappingMutex());
  if (slices_ != 0) AddressMap::Assign(range_.begin, range_.begin + slices_, nullptr);
  if (!range_.reserved && size_ != 0) os::Unmap(range_.begin, size_);
  AddressSpace::Give(range_);
  policy_->budget->GiveBack(size_);
  policy_->lane_mapped -= size_;
}

bool LargeBlock::MapMore(std::size_t size) noexcept {
  const std::size_t more = size - size_;
  if (size > os::TotalMemory() || !policy_->budget->Take(more)) return false;
  const Extent extent{range_.begin + size_, more, size_};
  const std::size_t slices = RoundUp(size, kSliceSize);
  if (!AddressMap::Assign(RoundDown(extent.address, kSliceSize), range_.begin + slices, this) ||
      backing_.Map(range_, extent) != os::MapResult::kMapped) {
    AddressMap::Assign(range_.begin + slices_, range_.begin + slices, nullptr);
    policy_->budget->GiveBack(more);
    return false;
  }
  policy_->lane_mapped += more;
  slices_ = slices;
  size_ = size;
  if (backing_.mode() == BackingMode::kShared) shared_ = size;
  CollapseUpTo(size);
  return true;
}

void LargeBlock::CollapseUpTo(std::size_t size) noexcept {
  if (!policy_->WantsHuge() || backing_.mode() != BackingMode::kShared) return;
  for (; huge_bytes_ + kGranuleSize <= size; huge_bytes_ += kGranuleSize) {
    const std::uintptr_t granule = range_.begin + huge_bytes_;
    // Collapse wants one OS page touched. Read only: another thread may write here without the GIL.
    static_cast<void>(
        *reinterpret_cast<volatile const char*>(granule));  // NOLINT(performance-no-int-to-ptr)
    if (!os::Collapse(granule)) {
      policy_->HugePagesRefused();
      return;
    }
  }
}

bool LargeBlock::GrowTo(std::size_t size) noexcept {
  if (size <= size_) return true;
  if (policy_->WantsHuge() && Resize(RoundUp(size, kGranuleSize))) return true;
  return Resize(size);
}

void LargeBlock::ShrinkTo(std::size_t size) noexcept {
  const std::size_t kept = RoundUp(size, kGranuleSize);
  if (kept >= size_) return;
  const MappingLock lock(MappingMutex());
  const Extent tail{range_.begin + kept, size_ - kept, kept};
  AddressMap::Assign(tail.address, range_.begin + slices_, nullptr);
  backing_.Punch(tail);  // a file would keep the memory
  AddressSpace::Unmap(range_, tail.address, tail.size);
  policy_->budget->GiveBack(tail.size);
  policy_->lane_mapped -= tail.size;
  size_ = slices_ = kept;
  huge_bytes_ = std::min(huge_bytes_, kept);
  shared_ = std::min(shared_, kept);
}

bool LargeBlock::Resize(std::size_t size) noexcept {
  const std::size_t rounded = RoundUp(size, os::PageSize());
  if (rounded > range_.size) return false;
  const MappingLock lock(MappingMutex());
  if (rounded > size_) return MapMore(rounded);
  return true;  // what is cut off stays with the block: it may grow again
}

bool LargeBlock::SealLive(const BitSet* live, std::size_t live_bytes, LaneStats* stats,
                          Directory* directory) noexcept {
  const MappingLock lock(MappingMutex());
  if (size_ == 0) {
    backing_.CloseFile();
    return true;
  }
  bool sealed = false;
  bool had_memory = true;
  LaneStats mine;
  try {
    const std::vector<Extent> whole{{range_.begin, size_, 0}};
    BitSet huge;
    huge.Set(0, huge_bytes_ >> kGranuleShift);
    const bool ready = backing_.ReadyToSeal(whole, live);
    if (backing_.mode() == BackingMode::kMoved) huge = {};  // the new file is of small OS pages
    if (live != nullptr && (ready || backing_.mode() == BackingMode::kAnonymous)) {
      const std::size_t end = size_ / os::PageSize();
      mine.punched_bytes = PunchFree(&backing_, range_.begin, 0, end, *live, &huge);
    }
    huge_bytes_ = huge.Count() * kGranuleSize;
    if (ready && backing_.Seal(whole) == 1) {
      shared_ = 0;
      sealed = backing_.file_sealed();
    }
  } catch (const std::bad_alloc&) {
    had_memory = false;
  }
  if (!sealed && shared_ == 0) backing_.CloseFile();  // all of it is private
  mine.mapped_bytes = size_;
  mine.live_bytes = live_bytes;
  mine.free_bytes = size_ - live_bytes - mine.punched_bytes;
  mine.huge_bytes = huge_bytes_;
  if (!sealed) mine.unsealed_bytes = size_;
  directory->AddExtent({range_.begin, size_, 0}, backing_.Pristine(range_.begin), live,
                       range_.begin);
  *stats += mine;
  return had_memory;
}

void LargeBlock::Punch(std::uintptr_t begin, std::size_t size) noexcept {
  const MappingLock lock(MappingMutex());
  backing_.Punch({begin, size, begin - range_.begin});
}

void LargeBlock::EndSharing() noexcept {
  if (shared_ == 0 || !backing_.MakePrivate({range_.begin, shared_, 0})) return;
  shared_ = 0;
  backing_.CloseFile();
}

}  // namespace frozen_arena
