// Lane: one of the two kinds of memory of an arena, as lists of segments, pools and large blocks.
//
// Before the seal a lane allocates from its last segment; when that is full it leases the next
// track. After it, a lane only answers questions.
//
// Needs the GIL, but for EndSharing and EndLeases: from any thread, with the mapping lock held.
// VisitBlocks, Seal and Release: the caller holds the lock of the walks and not that of mappings.
// Allocate, FreeLarge and Release take the latter.
#ifndef FROZEN_ARENA_ARENA_LANE_H_
#define FROZEN_ARENA_ARENA_LANE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "arena/copied_parts.h"
#include "arena/directory.h"
#include "arena/file_part.h"
#include "arena/lane_policy.h"
#include "arena/large_block.h"
#include "arena/page_accounting.h"
#include "arena/run.h"
#include "arena/segment.h"
#include "arena/span.h"
#include "arena/stats.h"

namespace frozen_arena {

class Lane {
 public:
  Lane(Arena* arena, std::size_t index, Budget* budget, bool huge_pages) noexcept;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  std::size_t index() const noexcept { return index_; }

  // 16-byte aligned, or nullptr.
  void* Allocate(std::size_t size) noexcept;
  void FreeSmall(void* block) noexcept;
  void FreeLarge(LargeBlock* block) noexcept;
  void FreeInSpan(SpanPool* pool, void* block) noexcept { spans_.Free(pool, block); }

  bool VisitBlocks(BlockVisitor visitor, void* context) const noexcept;

  bool Seal(Directory* directory) noexcept;  // as Segment::Seal, of all its parts
  void Abandon() noexcept;
  void EndSharing() noexcept;
  // The tracks may serve others from now on. In a child of fork(), with the mapping lock held.
  void EndLeases() noexcept;
  // Gives all memory back; no block may be in use any more.
  void Release() noexcept;

  // The lane is a part of a file, and nothing else; precondition: nothing was allocated in it. As
  // FilePart::Map.
  os::MapResult MapFile(int descriptor, FileLane&& what, Directory* directory);

  // Every mapped extent of the lane, ascending by address. May throw std::bad_alloc.
  std::vector<Extent> Extents() const;
  const void* Pristine(const Region* region, const void* address) const noexcept;
  const LaneStats& stats() const noexcept { return stats_; }
  CopiedParts& copied_parts() noexcept { return copied_parts_; }

 private:
  [[gnu::noinline]] void* AllocateSlowly(std::size_t size) noexcept;
  mi_theap_t* TheapOfThisThread() noexcept;
  Segment* Extend() noexcept;
  void* AllocateLarge(std::size_t size) noexcept;
  // Calls visit(block) for all large blocks, the pools among them, until it says false.
  template <typename Visit>
  bool EveryLarge(Visit visit) const;

  // A fork may come from a thread without the GIL, at any moment (fork_guard.cc): it goes through
  // the lists, which therefore change under the mapping lock, and what is in none of them yet has
  // no memory that is shared.
  Arena* arena_;
  std::size_t index_;
  std::uint64_t epoch_;  // changes with every new segment; names this lane in the caches of threads
  LanePolicy policy_;
  LaneStats stats_;
  CopiedParts copied_parts_;
  std::vector<std::unique_ptr<Segment>> segments_;
  SpanLane spans_;
  RunLane runs_;
  std::unordered_map<std::uintptr_t, std::unique_ptr<LargeBlock>> large_;
  std::unique_ptr<FilePart> file_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_LANE_H_
