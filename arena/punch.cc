#include "arena/punch.h"

#include <algorithm>

#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// A huge page is kept whole unless an eighth of it is free: splitting it costs readers the huge
// page's TLB entry, keeping it costs the free bytes.
constexpr std::size_t kWorthSplitting = kGranuleSize / 8;

}  // namespace

std::size_t PunchFree(Backing* backing, std::uintptr_t base, std::size_t first, std::size_t last,
                      const BitSet& live, BitSet* huge) noexcept {
  const std::size_t page = os::PageSize();
  const std::size_t per_granule = kGranuleSize / page;
  std::size_t punched = 0;
  for (std::size_t at = first; at < last;) {
    const std::size_t granule = at / per_granule;
    const std::size_t stop = std::min((granule + 1) * per_granule, last);
    const std::size_t unused = (stop - at) - live.CountIn(at, stop);
    const bool whole = huge->Has(granule) && unused * page < kWorthSplitting;
    if (!whole) huge->Clear(granule, granule + 1);
    for (std::size_t i = at; !whole && i < stop;) {
      std::size_t hole = i;
      while (hole < stop && !live.Has(hole)) ++hole;
      const std::size_t size = (hole - i) * page;
      if (size > 0 && backing->Punch({base + i * page, size, i * page})) punched += size;
      i = hole + 1;
    }
    at = stop;
  }
  return punched;
}

}  // namespace frozen_arena
