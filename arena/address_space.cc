#include "arena/address_space.h"

#include <algorithm>
#include <new>
#include <vector>

#include "arena/faults.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Far from where Linux puts anything on its own accord (heap and libraries lie at both ends of 47
// bits), and outside the shadow of AddressSanitizer. ThreadSanitizer refuses all but its own ranges
// (the lowest of compiler-rt's tsan_platform.h, x86-64, ends at 512 GiB).
#ifdef __SANITIZE_THREAD__
constexpr std::uintptr_t kPreferredBegin = 0x0010'0000'0000;
constexpr std::uintptr_t kPreferredEnd = 0x0080'0000'0000;
#else
constexpr std::uintptr_t kPreferredBegin = 0x2000'0000'0000;
constexpr std::uintptr_t kPreferredEnd = 0x5000'0000'0000;
#endif

std::uintptr_t next_preferred = kPreferredBegin;  // guarded by the mapping lock
bool preferred_exists = true;

// Whether memory can be had at `address` at all; kOccupied says that someone is there.
os::MapResult Probe(std::uintptr_t address) {
  if (Injected(Fault::kPreferredAddress)) return os::MapResult::kRefused;
  const os::MapResult result = os::MapAnonymous(address, os::PageSize());
  if (result == os::MapResult::kMapped) os::Unmap(address, os::PageSize());
  return result;
}

// Preferred addresses that were given back, ascending, no two adjacent. Never deleted. What there
// is no memory to remember is not used again, of 48 TiB.
constinit std::vector<AddressRange>* returned = nullptr;

AddressRange TakeReturned(std::size_t size, std::size_t alignment) noexcept {
  if (returned == nullptr) return {};
  for (auto place = returned->begin(); place != returned->end(); ++place) {
    if (place->begin % alignment != 0 || place->size < size) continue;
    const AddressRange taken{place->begin, size, false};
    *place = {place->begin + size, place->size - size, false};
    if (place->size == 0) returned->erase(place);
    return taken;
  }
  return {};
}

void Return(const AddressRange& range) noexcept {
  try {
    if (returned == nullptr) returned = new std::vector<AddressRange>;
    const auto after =
        std::find_if(returned->begin(), returned->end(),
                     [&](const AddressRange& one) { return one.begin > range.begin; });
    const auto place = returned->insert(after, range);
    const auto next = place + 1;
    if (next != returned->end() && place->end() == next->begin) {
      place->size += next->size;
      returned->erase(next);
    }
    if (place != returned->begin() && (place - 1)->end() == place->begin) {
      (place - 1)->size += place->size;
      returned->erase(place);
    }
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace

AddressRange AddressSpace::Take(std::size_t size, std::size_t alignment) noexcept {
  while (preferred_exists) {
    AddressRange range = TakeReturned(size, alignment);
    if (!range) range = {RoundUp(next_preferred, alignment), size, false};
    if (range.end() > kPreferredEnd) {
      preferred_exists = false;
      break;
    }
    next_preferred = std::max(next_preferred, range.end());
    const os::MapResult result = Probe(range.begin);
    if (result == os::MapResult::kRefused) {
      Return(range);
      break;
    }
    if (result == os::MapResult::kMapped) return range;
  }
  if (!os::LeavesRoom(size + alignment)) return {};
  const std::uintptr_t begin = os::Reserve(size, alignment);
  if (begin == 0) return {};
  return {begin, size, true};
}

void AddressSpace::Give(const AddressRange& range) noexcept {
  if (range.reserved) {
    os::Unmap(range.begin, range.size);
  } else if (range) {
    Return(range);
  }
}

os::MapResult AddressSpace::Map(const AddressRange& range, std::uintptr_t address, std::size_t size,
                                int descriptor, std::size_t offset) noexcept {
  const os::Placement placement = range.reserved ? os::Placement::kOver : os::Placement::kFree;
  if (descriptor < 0) return os::MapAnonymous(address, size, placement);
  return os::MapShared(address, size, descriptor, offset, placement);
}

void AddressSpace::Unmap(const AddressRange& range, std::uintptr_t address,
                         std::size_t size) noexcept {
  if (range.reserved) {
    os::Unback(address, size);
  } else {
    os::Unmap(address, size);
  }
}

}  // namespace frozen_arena
