// Runs: memory for blocks of more than 32 KiB and up to 32 MiB, each a run of OS pages.
//
// A block has as many OS pages as it needs and no more; mimalloc's size classes lie a quarter
// apart. Runs are cut from pools, first fit: pools share one file and one mapping among thousands
// of blocks, where each block with its own would use up descriptors (RLIMIT_NOFILE) and mappings
// (vm.max_map_count, and fork() copies them one by one). Bigger blocks have that all the same
// (large_block.h): they are few, and grow without moving.
//
// The caller holds the GIL (or is the only thread).
#ifndef FROZEN_ARENA_ARENA_RUN_H_
#define FROZEN_ARENA_ARENA_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "arena/bit_set.h"
#include "arena/lane_policy.h"
#include "arena/large_block.h"
#include "arena/stats.h"

namespace frozen_arena {

// A large block that is cut into runs.
class RunPool final : public LargeBlock {
 public:
  // `number` counts the pools of the lane. nullptr when refused. May throw std::bad_alloc.
  static RunPool* Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy);

  // `size` is at most RunLane::kLargest. nullptr when there is no place, or no memory can be had.
  void* Allocate(std::size_t size) noexcept;
  // Whether a place for `size` bytes may be found.
  bool MayHavePlace(std::size_t size) const noexcept;
  void Free(void* block) noexcept;
  // Makes the run of `block` longer or shorter without moving it. False when what follows is taken,
  // or no memory can be had.
  bool Resize(void* block, std::size_t size) noexcept;
  std::size_t SizeOf(const void* block) const noexcept;

  bool VisitBlocks(BlockVisitor visitor, void* context) const noexcept override;
  // After giving back what holds no block.
  bool Seal(LaneStats* stats, Directory* directory) noexcept override;

 private:
  RunPool(Arena* owner, Lane* owner_lane, LanePolicy* policy) noexcept
      : LargeBlock(owner, owner_lane, policy, RegionKind::kRunPool) {}
  std::size_t PageOf(const void* block) const noexcept;
  std::size_t EndOf(std::size_t first) const noexcept;
  void GiveBack(std::size_t first, std::size_t end) noexcept;

  // By OS page of the pool.
  BitSet used_;
  BitSet heads_;  // where runs begin
  std::size_t pages_ = 0;
  std::size_t first_gap_ = 0;  // nothing before this one is free
  std::size_t hopeless_ = 0;   // as many in a row were not to be found since then; 0: unknown
};

// The runs of a lane.
class RunLane {
 public:
  static constexpr std::size_t kSmallest = 32 * kKiB + 1;
  static constexpr std::size_t kLargest = 32 * kMiB;

  // `size` from kSmallest to kLargest. nullptr when refused.
  void* Allocate(std::size_t size, Arena* arena, Lane* lane, LanePolicy* policy) noexcept;

  const std::vector<std::unique_ptr<RunPool>>& pools() const noexcept { return pools_; }
  void Release() noexcept;

 private:
  std::vector<std::unique_ptr<RunPool>> pools_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_RUN_H_
