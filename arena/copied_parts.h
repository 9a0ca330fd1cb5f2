// CopiedParts: what a fork() need not copy any more, because it has been given back.
//
// fork() copies the page table of a private mapping of a file if anything was ever copied there,
// also when no copy is left: the kernel goes by the mapping's anon_vma (vma_needs_copy in Linux's
// mm/memory.c), which stays. A mapping whose OS pages are moved away by mremap(MREMAP_DONTUNMAP)
// stays behind without one (Linux 5.13), in one step and with all that it was told by mprotect and
// madvise. Where copies are left their granules are set apart, so that the rest can be mapped anew.
#ifndef FROZEN_ARENA_ARENA_COPIED_PARTS_H_
#define FROZEN_ARENA_ARENA_COPIED_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/backing.h"
#include "arena/bit_set.h"

namespace frozen_arena {

// Of the extents of one sealed lane. Needs the GIL.
class CopiedParts {
 public:
  // What one walk over the copies has found.
  class Walk {
   public:
    // May throw std::bad_alloc; what follows does not.
    Walk(CopiedParts* parts, const std::vector<Extent>& extents);
    void Dropped(std::uintptr_t os_page) noexcept;
    void Kept(std::uintptr_t begin, std::size_t size) noexcept;

    // After a walk over all of them: maps anew what has no copy left and once had. Where that is
    // refused all stays as it was. A write that comes meanwhile is not lost: what is moved away is
    // looked through before it is unmapped. The caller holds the mapping lock, so that no child
    // inherits half of it. May throw std::bad_alloc, before anything has changed.
    void MapAnew();

   private:
    std::size_t PartOf(std::uintptr_t address) const noexcept;

    CopiedParts* parts_;
    const std::vector<Extent>& extents_;
    std::vector<BitSet> kept_;  // by extent: granules that still hold copies
  };

 private:
  struct Part {
    bool dropped = false;  // copies were, since it was last mapped anew
    BitSet apart;          // granules of it that are mappings of their own
  };
  std::vector<Part> parts_;  // as the extents, which a sealed lane does not change
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_COPIED_PARTS_H_
