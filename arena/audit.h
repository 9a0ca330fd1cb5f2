// Audit: what must be true of an arena, checked. FZA_AUDIT builds also keep a checksum of every
// sealed OS page, so that a write which came in by a way that is not ours is found and named.
#ifndef FROZEN_ARENA_ARENA_AUDIT_H_
#define FROZEN_ARENA_ARENA_AUDIT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace frozen_arena {

struct Extent;
struct LaneStats;

class OsPageChecksums {
 public:
  // Remembers the content of `extents`. Does nothing outside audit builds. May throw
  // std::bad_alloc.
  void Take(const std::vector<Extent>& extents);

  // The address of the first OS page whose content differs, or 0. `pristine` maps an address to
  // where its content at the seal can be read now, or to 0 when it cannot.
  template <typename Pristine>
  std::uintptr_t FirstDifference(Pristine pristine) const {
    for (const Entry& entry : entries_) {
      const std::uintptr_t source = pristine(entry.address);
      if (source != 0 && Checksum(source) != entry.checksum) return entry.address;
    }
    return 0;
  }

 private:
  struct Entry {
    std::uintptr_t address;
    std::uint64_t checksum;
  };
  static std::uint64_t Checksum(std::uintptr_t os_page) noexcept;
  std::vector<Entry> entries_;
};

// mapped == live + free + punched.
bool LedgerAddsUp(const LaneStats& stats) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_AUDIT_H_
