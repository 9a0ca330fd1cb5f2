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

// Calls each(os_page, entry) for all OS pages of `extents`.
template <typename Each>
Status ForEachEntry(const std::vector<Extent>& extents, Each&& each) noexcept {
  std::array<std::uint64_t, kBatch>
      entries;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const std::size_t page = os::PageSize();
  for (const Extent& extent : extents) {
    const std::size_t total = extent.size / page;
    for (std::size_t done = 0; done < total;) {
      const std::size_t batch = std::min(kBatch, total - done);
      const std::uintptr_t begin = extent.address + done * page;
      if (!os::ReadPagemap(begin, entries.data(), batch)) return Status::kUnsupported;
      for (std::size_t i = 0; i < batch; ++i) each(begin + i * page, entries[i]);
      done += batch;
    }
  }
  return Status::kOk;
}

}  // namespace

Status CountPages(const std::vector<Extent>& extents, PageCounts* counts) noexcept {
  return ForEachEntry(extents, [counts](std::uintptr_t /*os_page*/, std::uint64_t entry) {
    ++counts->os_pages;
    if ((entry & kPresent) != 0) ++counts->resident_os_pages;
    if (IsPrivate(entry)) ++counts->private_os_pages;
  });
}

Status VisitPrivateOsPages(const std::vector<Extent>& extents, OsPageVisitor visit,
                           void* context) noexcept {
  return ForEachEntry(extents, [visit, context](std::uintptr_t os_page, std::uint64_t entry) {
    if (IsPrivate(entry)) visit(context, os_page);
  });
}

}  // namespace frozen_arena
