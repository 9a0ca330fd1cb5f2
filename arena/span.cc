#include "arena/span.h"

#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "arena/arena.h"
#include "arena/bit_set.h"
#include "arena/check.h"
#include "arena/mapping_lock.h"
#include "arena/os_memory.h"

namespace frozen_arena {
namespace {

// Address space only: memory comes span by span. Few and big, because every fork() copies the
// mappings of a pool one by one.
constexpr std::size_t kFirstPool = 16 * kMiB;
constexpr std::size_t kFurtherPools = kGiB;

char* BlockOf(const Span& span, std::size_t index) noexcept {
  return reinterpret_cast<char*>(span.begin +
                                 index * span.block_size);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

SpanPool* SpanPool::Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy) {
  std::unique_ptr<SpanPool> pool(new SpanPool(arena, lane, policy));
  const std::size_t size = number == 0 ? kFirstPool : kFurtherPools;
  pool->spans_.reserve(size / kSliceSize);  // they never move
  if (!pool->Reserve(size)) return nullptr;
  return pool.release();
}

Span* SpanPool::Cut() noexcept {
  if (full()) return nullptr;
  const std::size_t end = (spans_.size() + 1) * kSliceSize;
  if (!GrowTo(end)) return nullptr;
  Span& span = spans_.emplace_back();
  span.begin = begin() + end - kSliceSize;
  return &span;
}

bool SpanPool::VisitBlocks(BlockVisitor visitor, void* context) const noexcept {
  for (const Span& span : spans_) {
    for (std::size_t word = 0; word < span.live.size(); ++word) {
      for (std::uint64_t left = span.live[word]; left != 0; left &= left - 1) {
        const std::size_t index = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
        if (!visitor(context, BlockOf(span, index), span.block_size)) return false;
      }
    }
  }
  return true;
}

void SpanPool::GiveBack(const Span& span) noexcept { Punch(span.begin, kSliceSize); }

bool SpanPool::Seal(LaneStats* stats, Directory* directory) noexcept {
  std::size_t bytes = 0;
  for (const Span& span : spans_) {
    bytes += span.used * std::size_t{span.block_size};
    if (span.used != 0) directory->AddArea(span.begin, kSliceSize, span.block_size);
  }
  struct Context {
    BitSet live;
    std::uintptr_t base;
    int shift;
  } context{{}, begin(), std::countr_zero(os::PageSize())};
  try {
    context.live.Reserve(size() >> context.shift);
  } catch (const std::bad_alloc&) {
    SealLive(nullptr, bytes, stats, directory);
    return false;
  }
  const auto mark = [](void* raw, void* block, std::size_t size) {
    auto* const at = static_cast<Context*>(raw);
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(block) - at->base;
    at->live.Set(offset >> at->shift, ((offset + size - 1) >> at->shift) + 1);
    return true;
  };
  VisitBlocks(mark, &context);
  return SealLive(&context.live, bytes, stats, directory);
}

// 16 bytes apart up to 1,024, 32 up to 2,048, 64 up to 4,096.
std::size_t SpanLane::ClassOf(std::size_t size) noexcept {
  if (size <= 1024) return (size - 513) / 16;
  return size <= 2048 ? 32 + (size - 1025) / 32 : 64 + (size - 2049) / 64;
}

std::size_t SpanLane::SizeOf(std::size_t size_class) noexcept {
  const std::size_t step = size_class % 32 + 1;
  return size_class < 32 ? 512 + 16 * step : size_class < 64 ? 1024 + 32 * step : 2048 + 64 * step;
}

void* SpanLane::Allocate(std::size_t size, Arena* arena, Lane* lane, LanePolicy* policy) noexcept {
  const std::size_t size_class = ClassOf(size);
  Span* span = open_[size_class];
  if (span == nullptr) [[unlikely]] {
    span = NewSpan(size_class, arena, lane, policy);
    if (span == nullptr) return nullptr;
  }
  std::size_t index = span->fresh;
  if (span->free_head != 0) {
    index = span->free_head - 1U;
    std::memcpy(&span->free_head, BlockOf(*span, index), sizeof span->free_head);
  } else {
    ++span->fresh;
  }
  span->live[index / 64] |= std::uint64_t{1} << (index % 64);
  if (++span->used == span->capacity) Unlink(span);
  return BlockOf(*span, index);
}

void SpanLane::Free(SpanPool* pool, void* block) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  Span* const span = pool->SpanOf(address);
  const std::size_t index = (address - span->begin) / span->block_size;
  FZA_DCHECK((span->live[index / 64] >> (index % 64) & 1) != 0);
  span->live[index / 64] &= ~(std::uint64_t{1} << (index % 64));
  if (span->used-- == span->capacity) Link(span);
  if (span->used == 0) {
    Unlink(span);
    span->next = empty_;
    empty_ = span;
    if (pool->arena->state() == ArenaState::kAbandoned) pool->GiveBack(*span);
    return;
  }
  std::memcpy(block, &span->free_head, sizeof span->free_head);
  span->free_head = static_cast<std::uint16_t>(index + 1);
}

Span* SpanLane::CutSpan(Arena* arena, Lane* lane, LanePolicy* policy) {
  if (!pools_.empty()) {
    if (Span* const span = pools_.back()->Cut()) return span;
  }
  if (policy->budget->exhausted) return nullptr;
  std::unique_ptr<SpanPool> pool(SpanPool::Create(arena, lane, pools_.size(), policy));
  if (pool != nullptr) {
    const MappingLock lock(MappingMutex());
    pools_.reserve(pools_.size() + 1);
    pools_.push_back(std::move(pool));
  }
  Span* const span = pools_.empty() ? nullptr : pools_.back()->Cut();
  policy->budget->exhausted = span == nullptr;
  return span;
}

Span* SpanLane::NewSpan(std::size_t size_class, Arena* arena, Lane* lane,
                        LanePolicy* policy) noexcept {
  Span* span = empty_;
  if (span != nullptr) {
    empty_ = span->next;
  } else {
    try {
      span = CutSpan(arena, lane, policy);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    if (span == nullptr) return nullptr;
  }
  const std::uintptr_t begin = span->begin;
  const std::size_t block_size = SizeOf(size_class);
  *span = {};
  span->begin = begin;
  span->block_size = static_cast<std::uint32_t>(block_size);
  span->size_class = static_cast<std::uint16_t>(size_class);
  span->capacity = static_cast<std::uint16_t>(kSliceSize / block_size);
  Link(span);
  return span;
}

void SpanLane::Link(Span* span) noexcept {
  Span*& first = open_[span->size_class];
  span->previous = nullptr;
  span->next = first;
  if (first != nullptr) first->previous = span;
  first = span;
}

void SpanLane::Unlink(Span* span) noexcept {
  (span->previous != nullptr ? span->previous->next : open_[span->size_class]) = span->next;
  if (span->next != nullptr) span->next->previous = span->previous;
}

void SpanLane::Release() noexcept {
  open_ = {};
  empty_ = nullptr;
  std::vector<std::unique_ptr<SpanPool>> pools;
  const MappingLock lock(MappingMutex());
  pools_.swap(pools);
}

}  // namespace frozen_arena
