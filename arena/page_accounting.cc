#include "arena/page_accounting.h"

#include <algorithm>
#include <array>

#include "arena/backing.h"
#include "arena/os_memory.h"

namespace frozen_arena {
namespace {

constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kSwapped = std::uint64_t{1} << 62;
constexpr std::uint64_t kOfFile = std::uint64_t{1} << 61;
constexpr std::size_t kBatch = 2048;  // entries a read: 16 KiB of stack

bool IsPrivate(std::uint64_t entry) noexcept {
  return (entry & (kPresent | kSwapped)) != 0 && (entry & kOfFile) == 0;
}

// Calls each(os_page, entry) for the OS pages of `range`, until it says false. `next` as in
// VisitPrivateOsPages.
template <typename Each>
Status ForEachEntry(const std::vector<Extent>& extents, const OsPageRange& range, std::size_t* next,
                    Each&& each) noexcept {
  std::array<std::uint64_t, kBatch>
      entries;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const std::size_t page = os::PageSize();
  std::size_t skip = range.first;
  std::size_t left = range.count;
  std::size_t number = 0;  // of the next OS page
  for (const Extent& extent : extents) {
    const std::size_t total = extent.size / page;
    std::size_t done = std::min(skip, total);
    skip -= done;
    number += done;
    while (done < total) {
      const std::size_t batch = std::min({kBatch, total - done, left});
      const std::uintptr_t begin = extent.address + done * page;
      if (batch != 0 && !os::ReadPagemap(begin, entries.data(), batch)) return Status::kUnsupported;
      bool go_on = batch != 0;
      for (std::size_t i = 0; i < batch && go_on; ++i, ++number, ++done, --left) {
        go_on = each(begin + i * page, entries[i]);
      }
      if (go_on) continue;
      *next = number;
      return Status::kOk;
    }
  }
  *next = 0;
  return Status::kOk;
}

}  // namespace

Status CountPages(const std::vector<Extent>& extents, PageCounts* counts) noexcept {
  std::size_t next = 0;
  return ForEachEntry(extents, {}, &next, [counts](std::uintptr_t /*page*/, std::uint64_t entry) {
    ++counts->os_pages;
    if ((entry & kPresent) != 0) ++counts->resident_os_pages;
    if (IsPrivate(entry)) ++counts->private_os_pages;
    return true;
  });
}

Status VisitPrivateOsPages(const std::vector<Extent>& extents, const OsPageRange& range,
                           OsPageVisitor visit, void* context, std::size_t* next) noexcept {
  return ForEachEntry(extents, range, next,
                      [visit, context](std::uintptr_t os_page, std::uint64_t entry) {
                        return !IsPrivate(entry) || visit(context, os_page);
                      });
}

}  // namespace frozen_arena
