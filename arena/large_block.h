// LargeBlock: one block of more than 32 MiB, on OS pages and in a file of its own; and, as a base,
// what is cut into smaller ones (span.h, run.h).
//
// mimalloc would round a block of 100 MB up to 128 MB and refuses 512 MiB. Here a block takes whole
// OS pages, and has twice its size of address space to grow into without moving.
//
// Needs the GIL, but for EndSharing: from any thread, with the mapping lock held. The others take
// it themselves.
#ifndef FROZEN_ARENA_ARENA_LARGE_BLOCK_H_
#define FROZEN_ARENA_ARENA_LARGE_BLOCK_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/backing.h"
#include "arena/bit_set.h"
#include "arena/directory.h"
#include "arena/lane_policy.h"
#include "arena/region.h"
#include "arena/stats.h"

namespace frozen_arena {

class LargeBlock : public Region {
 public:
  // Address space for a block of `size` bytes, without memory as yet: Resize gives it that once the
  // block is in the list that a fork goes through. nullptr when refused. May throw std::bad_alloc.
  static LargeBlock* Create(Arena* arena, Lane* lane, std::size_t size, LanePolicy* policy);
  virtual ~LargeBlock();
  LargeBlock(const LargeBlock&) = delete;
  LargeBlock& operator=(const LargeBlock&) = delete;

  void* address() const noexcept {
    return reinterpret_cast<void*>(range_.begin);  // NOLINT(performance-no-int-to-ptr)
  }
  std::uintptr_t begin() const noexcept { return range_.begin; }
  std::size_t size() const noexcept { return size_; }
  const Backing& backing() const noexcept { return backing_; }

  // Grows or shrinks without moving; before the seal. False when it must move.
  bool Resize(std::size_t size) noexcept;

  // The block itself, or those that it is cut into.
  virtual bool VisitBlocks(BlockVisitor visitor, void* context) const noexcept {
    return visitor(context, address(), size_);
  }
  virtual bool Seal(LaneStats* stats, Directory* directory) noexcept {
    if (size_ != 0) directory->AddArea(range_.begin, size_, size_);
    return SealLive(nullptr, size_, stats, directory);
  }
  void EndSharing() noexcept;  // as Segment::EndSharing

 protected:
  LargeBlock(Arena* owner, Lane* owner_lane, LanePolicy* policy, RegionKind region_kind) noexcept
      : Region{owner, owner_lane, region_kind}, backing_(policy->file_name), policy_(policy) {}
  // At least so many bytes are mapped; whole granules, where they can be huge pages, before there
  // is anything on them to be copied.
  bool GrowTo(std::size_t size) noexcept;
  // What lies behind the granule of the first `size` bytes is unmapped, and its memory goes back to
  // the system and to the budget; before the seal.
  void ShrinkTo(std::size_t size) noexcept;
  // Address space to grow into. False when refused.
  bool Reserve(std::size_t size) noexcept;
  // Gives the memory behind a part back, where it lies with us alone; before the seal.
  void Punch(std::uintptr_t begin, std::size_t size) noexcept;
  // As Segment::Seal. `live` are the OS pages that are needed, all when it is nullptr, for blocks
  // of `live_bytes` in all.
  bool SealLive(const BitSet* live, std::size_t live_bytes, LaneStats* stats,
                Directory* directory) noexcept;

 private:
  bool MapMore(std::size_t size) noexcept;
  void CollapseUpTo(std::size_t size) noexcept;

  AddressRange range_;
  std::size_t size_ = 0;  // mapped bytes, a multiple of the OS page
  std::size_t huge_bytes_ = 0;
  std::size_t shared_ = 0;  // the first bytes, as long as a child would write to them with us
  std::size_t slices_ = 0;  // bytes entered in the address map
  Backing backing_;
  LanePolicy* policy_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_LARGE_BLOCK_H_
