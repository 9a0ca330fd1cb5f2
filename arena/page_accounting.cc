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

}  // namespace

Status CountPages(const std::vector<Extent>& extents, PageCounts* counts) noexcept {
  std::array<std::uint64_t, kBatch>
      entries;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  const std::size_t page = os::PageSize();
  for (const Extent& extent : extents) {
    const std::size_t total = extent.size / page;
    for (std::size_t done = 0; done < total;) {
      const std::size_t batch = std::min(kBatch, total - done);
      const std::uintptr_t begin = extent.address + done * page;
      if (!os::ReadPagemap(begin, entries.data(), batch)) return Status::kUnsupported;
      for (std::size_t i = 0; i < batch; ++i) {
        ++counts->os_pages;
        if ((entries[i] & kPresent) != 0) ++counts->resident_os_pages;
        const bool backed = (entries[i] & (kPresent | kSwapped)) != 0;
        if (!backed || (entries[i] & kOfFile) != 0) continue;
        ++counts->private_os_pages;
      }
      done += batch;
    }
  }
  return Status::kOk;
}

}  // namespace frozen_arena
