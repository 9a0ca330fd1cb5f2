// AddressMap: "is this pointer ours, and whose?", answered without a lock and without touching the
// memory that the pointer names.
//
// A radix tree of two levels over slices of 64 KiB: 2^15 roots of 4 GiB each, and leaves of 2^16
// entries that are made on first use and never given back (512 KiB of address space each, touched
// where used). Addresses of 47 bits and more are never ours. Read by allocator/hooks.cc on every
// RAW free.
#ifndef FROZEN_ARENA_ARENA_ADDRESS_MAP_H_
#define FROZEN_ARENA_ARENA_ADDRESS_MAP_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "arena/region.h"
#include "arena/units.h"

namespace frozen_arena {

class AddressMap {
 public:
  // The region that owns the slice of `address`, or nullptr. From any thread, without the GIL.
  static Region* Find(std::uintptr_t address) noexcept {
    if (address >> kAddressBits != 0) [[unlikely]]
      return nullptr;
    const Leaf* const leaf = roots_[address >> kLeafShift].load(std::memory_order_acquire);
    if (leaf == nullptr) [[likely]]
      return nullptr;
    return leaf->slices[(address >> kSliceShift) & (kLeafSlices - 1)].load(
        std::memory_order_relaxed);
  }

  // Enters `region` for the slices of [begin, end), or takes them out (nullptr). False when there
  // is no memory for a leaf; then nothing has been entered. The caller holds the mapping lock
  // (fork_guard.h).
  static bool Assign(std::uintptr_t begin, std::uintptr_t end, Region* region) noexcept;

 private:
  static constexpr int kAddressBits = 47;
  static constexpr int kLeafShift = 32;
  static constexpr std::size_t kLeafSlices = std::size_t{1} << (kLeafShift - kSliceShift);
  static constexpr std::size_t kRoots = std::size_t{1} << (kAddressBits - kLeafShift);

  struct Leaf {
    std::array<std::atomic<Region*>, kLeafSlices> slices;
  };
  static Leaf* LeafFor(std::uintptr_t address) noexcept;

  static std::array<std::atomic<Leaf*>, kRoots>
      roots_;  // in .bss: 256 KiB of address space, touched where used
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_ADDRESS_MAP_H_
