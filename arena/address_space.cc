#include "arena/address_space.h"

#include "arena/faults.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Far from where Linux puts anything on its own accord (heap and libraries lie at both ends of 47
// bits), and outside the shadow of AddressSanitizer.
constexpr std::uintptr_t kPreferredBegin = 0x2000'0000'0000;
constexpr std::uintptr_t kPreferredEnd = 0x5000'0000'0000;

std::uintptr_t next_preferred = kPreferredBegin;  // guarded by the mapping lock
bool preferred_exists = true;

// Whether memory can be had at `address` at all; kOccupied says that someone is there.
os::MapResult Probe(std::uintptr_t address) {
  if (Injected(Fault::kPreferredAddress)) return os::MapResult::kRefused;
  const os::MapResult result = os::MapAnonymous(address, os::PageSize());
  if (result == os::MapResult::kMapped) os::Unmap(address, os::PageSize());
  return result;
}

}  // namespace

AddressRange AddressSpace::Take(std::size_t size, std::size_t alignment) noexcept {
  while (preferred_exists) {
    const std::uintptr_t begin = RoundUp(next_preferred, alignment);
    if (begin + size > kPreferredEnd) {
      preferred_exists = false;
      break;
    }
    const os::MapResult result = Probe(begin);
    if (result == os::MapResult::kRefused) break;
    next_preferred = begin + size;
    if (result == os::MapResult::kMapped) return {begin, size, false};
  }
  const std::uintptr_t begin = os::Reserve(size, alignment);
  if (begin == 0) return {};
  return {begin, size, true};
}

void AddressSpace::Give(const AddressRange& range) noexcept {
  if (range) os::Unmap(range.begin, range.size);
}

os::MapResult AddressSpace::Map(const AddressRange& range, std::uintptr_t address, std::size_t size,
                                int descriptor, std::size_t offset) noexcept {
  if (range.reserved) os::Unmap(address, size);
  const os::MapResult result = descriptor >= 0 ? os::MapShared(address, size, descriptor, offset)
                                               : os::MapAnonymous(address, size);
  if (range.reserved && result != os::MapResult::kMapped) os::Unback(address, size);
  return result;
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
