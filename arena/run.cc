#include "arena/run.h"

#include <algorithm>
#include <new>
#include <utility>

#include "arena/arena.h"
#include "arena/check.h"
#include "arena/mapping_lock.h"
#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Address space only: memory comes as it is used.
constexpr std::size_t kFirstPool = 64 * kMiB;
constexpr std::size_t kFurtherPools = kGiB;
static_assert(RunLane::kLargest <= kFirstPool);

// Of what is free at the end of a pool so much stays, and goes when it is twice that: who fills and
// drops one buffer after another shall not wait for the kernel each time.
constexpr std::size_t kSpare = RunLane::kLargest;

std::size_t PagesFor(std::size_t size) noexcept {
  return (size + os::PageSize() - 1) / os::PageSize();
}

}  // namespace

RunPool* RunPool::Create(Arena* arena, Lane* lane, std::size_t number, LanePolicy* policy) {
  std::unique_ptr<RunPool> pool(new RunPool(arena, lane, policy));
  const std::size_t size = number == 0 ? kFirstPool : kFurtherPools;
  pool->pages_ = size / os::PageSize();
  pool->used_.Reserve(pool->pages_);
  pool->heads_.Reserve(pool->pages_);
  return pool->Reserve(size) ? pool.release() : nullptr;
}

std::size_t RunPool::PageOf(const void* block) const noexcept {
  return (reinterpret_cast<std::uintptr_t>(block) - begin()) / os::PageSize();
}

std::size_t RunPool::EndOf(std::size_t first) const noexcept {
  return used_.NextGap(first, heads_.NextMember(first + 1, size() / os::PageSize()));
}

bool RunPool::MayHavePlace(std::size_t size) const noexcept {
  return hopeless_ == 0 || PagesFor(size) < hopeless_;
}

void* RunPool::Allocate(std::size_t size) noexcept {
  if (!MayHavePlace(size)) return nullptr;
  const std::size_t wanted = PagesFor(size);
  std::size_t first = first_gap_ = used_.NextGap(first_gap_, pages_);
  for (; first + wanted <= pages_;) {
    const std::size_t taken = used_.NextMember(first, first + wanted);
    if (taken == first + wanted) break;
    first = used_.NextGap(taken, pages_);
  }
  if (first + wanted > pages_) {
    hopeless_ = wanted;
    return nullptr;
  }
  if (!GrowTo((first + wanted) * os::PageSize())) return nullptr;
  used_.Set(first, first + wanted);
  heads_.Set(first, first + 1);
  return reinterpret_cast<void*>(begin() + first * os::PageSize());  // NOLINT
}

void RunPool::GiveBack(std::size_t first, std::size_t end) noexcept {
  used_.Clear(first, end);
  first_gap_ = std::min(first_gap_, first);
  hopeless_ = 0;
  if (arena->state() == ArenaState::kAbandoned)  // nobody will use it again
    Punch(begin() + first * os::PageSize(), (end - first) * os::PageSize());
  if (used_.NextMember(end, pages_) != pages_) return;
  const std::size_t needed = used_.End() * os::PageSize();
  if (size() - needed > 2 * kSpare) ShrinkTo(needed + kSpare);
}

void RunPool::Free(void* block) noexcept {
  const std::size_t first = PageOf(block);
  FZA_DCHECK(heads_.Has(first) && used_.Has(first));
  GiveBack(first, EndOf(first));
  heads_.Clear(first, first + 1);
}

bool RunPool::Resize(void* block, std::size_t size) noexcept {
  const std::size_t first = PageOf(block);
  const std::size_t end = EndOf(first);
  const std::size_t wanted = first + PagesFor(size);
  if (wanted <= end) {
    if (wanted < end) GiveBack(wanted, end);
    return true;
  }
  if (wanted > pages_ || used_.NextMember(end, wanted) != wanted) return false;
  if (!GrowTo(wanted * os::PageSize())) return false;
  used_.Set(end, wanted);
  return true;
}

std::size_t RunPool::SizeOf(const void* block) const noexcept {
  const std::size_t first = PageOf(block);
  return (EndOf(first) - first) * os::PageSize();
}

bool RunPool::VisitBlocks(BlockVisitor visitor, void* context) const noexcept {
  for (std::size_t first = heads_.NextMember(0, pages_); first < pages_;
       first = heads_.NextMember(first + 1, pages_)) {
    const std::size_t size = (EndOf(first) - first) * os::PageSize();
    void* const block = reinterpret_cast<void*>(begin() + first * os::PageSize());  // NOLINT
    if (!visitor(context, block, size)) return false;
  }
  return true;
}

bool RunPool::Seal(LaneStats* stats, Directory* directory) noexcept {
  const auto describe = [](void* context, void* block, std::size_t size) {
    static_cast<Directory*>(context)->AddArea(reinterpret_cast<std::uintptr_t>(block), size, size);
    return true;
  };
  VisitBlocks(describe, directory);
  return SealLive(&used_, used_.Count() * os::PageSize(), stats, directory);
}

void* RunLane::Allocate(std::size_t size, Arena* arena, Lane* lane, LanePolicy* policy) noexcept {
  for (const auto& pool : pools_) {
    if (void* const block = pool->Allocate(size)) return block;
  }
  if (!pools_.empty() && pools_.back()->MayHavePlace(size)) return nullptr;  // but no memory
  try {
    std::unique_ptr<RunPool> pool(RunPool::Create(arena, lane, pools_.size(), policy));
    if (pool == nullptr) return nullptr;
    {
      const MappingLock lock(MappingMutex());
      pools_.reserve(pools_.size() + 1);
      pools_.push_back(std::move(pool));
    }
    return pools_.back()->Allocate(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void RunLane::Release() noexcept {
  std::vector<std::unique_ptr<RunPool>> pools;
  const MappingLock lock(MappingMutex());
  pools_.swap(pools);
}

}  // namespace frozen_arena
