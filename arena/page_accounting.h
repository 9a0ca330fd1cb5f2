// Page accounting: which OS pages of a mapping are still the file's, and which are this process's
// own copies.
//
// The measure is /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst of Linux): bit 63
// says present, bit 62 swapped, bit 61 "file page or shared anonymous". Present or swapped without
// bit 61 is a private copy. Private_Dirty of smaps is not the measure: it counts a memfd page that
// one process alone maps.
#ifndef FROZEN_ARENA_ARENA_PAGE_ACCOUNTING_H_
#define FROZEN_ARENA_ARENA_PAGE_ACCOUNTING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/status.h"

namespace frozen_arena {

struct Extent;

struct PageCounts {
  std::size_t os_pages = 0;           // mapped
  std::size_t resident_os_pages = 0;  // present in this process's page tables
  std::size_t private_os_pages = 0;   // copies of this process alone
};

// Adds what is mapped in `extents` to `counts`. kUnsupported when /proc cannot be read. Neither
// allocates nor takes a lock; needs no GIL.
Status CountPages(const std::vector<Extent>& extents, PageCounts* counts) noexcept;

// A stretch of the OS pages of some extents, numbered in their order.
struct OsPageRange {
  std::size_t first = 0;
  std::size_t count = ~std::size_t{0};  // at most
};

// Calls visit(context, os_page) for each OS page of `range` that is a copy of this process alone,
// in order, until it says false. It may drop copies. `next` becomes the number of the OS page with
// which to go on, or 0 when that was the last. Otherwise as above.
using OsPageVisitor = bool (*)(void* context, std::uintptr_t os_page);
Status VisitPrivateOsPages(const std::vector<Extent>& extents, const OsPageRange& range,
                           OsPageVisitor visit, void* context, std::size_t* next) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_PAGE_ACCOUNTING_H_
