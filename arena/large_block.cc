#include "arena/large_block.h"

#include <memory>
#include <new>

#include "arena/address_map.h"
#include "arena/mapping_lock.h"

namespace frozen_arena {

LargeBlock* LargeBlock::Create(Arena* arena, Lane* lane, std::size_t size, LanePolicy* policy) {
  if (size > std::size_t{1} << 46) return nullptr;
  std::unique_ptr<LargeBlock> block(new LargeBlock(arena, lane, policy));
  {
    const MappingLock lock(MappingMutex());
    block->range_ = AddressSpace::Take(RoundUp(2 * size, kGranuleSize), kGranuleSize);
  }
  if (!block->range_ || !block->Resize(size)) return nullptr;
  return block.release();
}

LargeBlock::~LargeBlock() {
  const MappingLock lock(MappingMutex());
  if (slices_ != 0) AddressMap::Assign(range_.begin, range_.begin + slices_, nullptr);
  if (range_.reserved) {
    AddressSpace::Give(range_);
  } else if (size_ != 0) {
    os::Unmap(range_.begin, size_);
  }
  policy_->budget->GiveBack(size_);
  policy_->lane_mapped -= size_;
}

bool LargeBlock::MapMore(std::size_t size) noexcept {
  const std::size_t more = size - size_;
  if (!policy_->budget->Take(more)) return false;
  const Extent extent{range_.begin + size_, more, size_};
  const std::size_t slices = RoundUp(size, kSliceSize);
  if (!AddressMap::Assign(range_.begin, range_.begin + slices, this) ||
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
    volatile char* const touch =
        reinterpret_cast<volatile char*>(granule);  // NOLINT(performance-no-int-to-ptr)
    *touch = *touch;  // collapse wants one OS page touched; what is there already stays
    if (!os::Collapse(granule)) {
      policy_->HugePagesRefused();
      return;
    }
  }
}

bool LargeBlock::Resize(std::size_t size) noexcept {
  const std::size_t rounded = RoundUp(size, os::PageSize());
  if (rounded > range_.size) return false;
  const MappingLock lock(MappingMutex());
  if (rounded > size_) return MapMore(rounded);
  return true;  // what is cut off stays with the block: it may grow again
}

bool LargeBlock::Seal(LaneStats* stats) noexcept {
  const MappingLock lock(MappingMutex());
  bool sealed = false;
  bool had_memory = true;
  try {
    const std::vector<Extent> whole{{range_.begin, size_, 0}};
    if (backing_.ReadyToSeal(whole) && backing_.Seal(whole) == 1) {
      shared_ = 0;
      sealed = backing_.file_sealed();
    }
  } catch (const std::bad_alloc&) {
    had_memory = false;
  }
  LaneStats mine;
  mine.mapped_bytes = size_;
  mine.live_bytes = size_;
  mine.huge_bytes = huge_bytes_;
  if (!sealed) mine.unsealed_bytes = size_;
  *stats += mine;
  return had_memory;
}

void LargeBlock::EndSharing() noexcept {
  if (shared_ == 0 || !backing_.MakePrivate({range_.begin, shared_, 0})) return;
  shared_ = 0;
  backing_.CloseFile();
}

}  // namespace frozen_arena
