#include "arena/audit.h"

#include <cstring>

#include "arena/backing.h"
#include "arena/check.h"
#include "arena/os_memory.h"
#include "arena/stats.h"

namespace frozen_arena {

std::uint64_t OsPageChecksums::Checksum(std::uintptr_t os_page) noexcept {
  // FNV-1a over words: any single changed word changes the result, which is all that is asked of it
  // here.
  std::uint64_t sum = 0xcbf29ce484222325;
  for (std::size_t at = 0; at < os::PageSize(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, reinterpret_cast<const void*>(os_page + at), sizeof(word));  // NOLINT
    sum = (sum ^ word) * 0x100000001b3;
  }
  return sum;
}

void OsPageChecksums::Take(const std::vector<Extent>& extents) {
  if constexpr (!kAuditBuild) return;
  for (const Extent& extent : extents) {
    for (std::size_t at = 0; at < extent.size; at += os::PageSize()) {
      entries_.push_back({extent.address + at, Checksum(extent.address + at)});
    }
  }
}

bool LedgerAddsUp(const LaneStats& stats) noexcept {
  return stats.mapped_bytes == stats.live_bytes + stats.free_bytes + stats.punched_bytes &&
         stats.huge_bytes <= stats.mapped_bytes && stats.unsealed_bytes <= stats.mapped_bytes;
}

}  // namespace frozen_arena
