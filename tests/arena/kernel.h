// What the kernel of this machine can do, for tests that depend on it.
#ifndef FROZEN_ARENA_TESTS_ARENA_KERNEL_H_
#define FROZEN_ARENA_TESTS_ARENA_KERNEL_H_

#include <cstring>

#include "arena/address_space.h"
#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena::testing {

// Whether MADV_COLLAPSE works on files in memory; then it does on ordinary memory too. Leaves a
// mapping behind: for a child.
inline bool ThisKernelCollapses() {
  const AddressRange range = AddressSpace::Take(kGranuleSize, kGranuleSize);
  const int file = os::CreateMemfd();
  const bool collapsed =
      os::Truncate(file, kGranuleSize) &&
      AddressSpace::Map(range, range.begin, kGranuleSize, file, 0) == os::MapResult::kMapped &&
      std::memset(reinterpret_cast<void*>(range.begin), 1, 1) != nullptr &&  // NOLINT
      os::Collapse(range.begin);
  os::Close(file);
  return collapsed;
}

}  // namespace frozen_arena::testing

#endif  // FROZEN_ARENA_TESTS_ARENA_KERNEL_H_
