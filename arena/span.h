// Spans: memory for blocks of 513 to 4,096 bytes, texts mostly.
//
// mimalloc's size classes lie a quarter apart, which costs such blocks an eighth of their memory on
// average; here they lie 16 to 64 bytes apart, a thirty-second at
// most. A span is one slice cut into blocks of one size class. Spans are cut from pools, which are
// large blocks that grow span by span. As everywhere before the seal, what is freed is used again,
// in the same span as long as it holds anything.
//
// The caller holds the GIL (or is the only thread).
#ifndef FROZEN_ARENA_ARENA_SPAN_H_
#define FROZEN_ARENA_ARENA_SPAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "arena/lane_policy.h"
#include "arena/large_block.h"
#include "arena/stats.h"
#include "arena/units.h"

namespace frozen_arena {

struct Span {
  static constexpr std::size_t kMostBlocks = kSliceSize / 528;

  std::uintptr_t begin = 0;
  Span* next = nullptr;
  Span* previous = nullptr;
  std::uint32_t block_size = 0;
  std::uint16_t size_class = 0;
  std::uint16_t capacity = 0;
  std::uint16_t used = 0;
  std::uint16_t fresh = 0;  // blocks before this one have been used once
  std::uint16_t free_head =
      0;  // one more than the block freed last; that block names the one before
  std::array<std::uint64_t, (kMostBlocks + 63) / 64> live{};
};

// A large block that is cut into spans, from its beginning on.
class SpanPool final : public LargeBlock {
 public:
  // nullptr when refused. May throw std::bad_alloc.
  static SpanPool* Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy);

  // The next span, or nullptr when this pool has no more, or no memory can be had.
  Span* Cut() noexcept;
  Span* SpanOf(std::uintptr_t address) noexcept {
    return &spans_[(address - begin()) >> kSliceShift];
  }
  const Span* SpanOf(std::uintptr_t address) const noexcept {
    return &spans_[(address - begin()) >> kSliceShift];
  }
  bool full() const noexcept { return spans_.size() == spans_.capacity(); }

  void GiveBack(const Span& span) noexcept;  // its memory, for good
  bool VisitBlocks(BlockVisitor visitor, void* context) const noexcept override;
  // After giving back what holds no block.
  bool Seal(LaneStats* stats, Directory* directory) noexcept override;

 private:
  SpanPool(Arena* owner, Lane* owner_lane, LanePolicy* policy) noexcept
      : LargeBlock(owner, owner_lane, policy, RegionKind::kSpanPool) {}

  std::vector<Span> spans_;
};

// The spans of a lane.
class SpanLane {
 public:
  static constexpr std::size_t kSmallest = 513;
  static constexpr std::size_t kLargest = 4096;

  // `size` from kSmallest to kLargest. nullptr when refused.
  void* Allocate(std::size_t size, Arena* arena, Lane* lane, LanePolicy* policy) noexcept;
  void Free(SpanPool* pool, void* block) noexcept;

  const std::vector<std::unique_ptr<SpanPool>>& pools() const noexcept { return pools_; }
  void Release() noexcept;

 private:
  static constexpr std::size_t kClasses = 96;

  static std::size_t ClassOf(std::size_t size) noexcept;
  static std::size_t SizeOf(std::size_t size_class) noexcept;
  Span* CutSpan(Arena* arena, Lane* lane, LanePolicy* policy);
  Span* NewSpan(std::size_t size_class, Arena* arena, Lane* lane, LanePolicy* policy) noexcept;
  void Link(Span* span) noexcept;
  void Unlink(Span* span) noexcept;

  std::array<Span*, kClasses> open_{};  // spans with room, by class
  Span* empty_ = nullptr;               // spans without blocks
  std::vector<std::unique_ptr<SpanPool>> pools_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_SPAN_H_
