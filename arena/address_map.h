// AddressMap: "is this pointer ours, and whose?", answered without a lock and without touching the
// memory that the pointer names.
//
// A radix tree of two levels over granules of 2 MiB: 2^15 roots of 4 GiB each, and tables of 2^11
// granules that are made on first use and never given back (32 KiB each). A granule names its owner
// and the slices that are its; most granules have one owner for life, and only one that has had two
// names them slice by slice, in a leaf that it keeps. So 8 GiB take 64 KiB of the memory whose page
// tables every fork() copies, not the MiB that an entry a slice would take. Addresses of 47 bits
// and more are never ours. Read by allocator/hooks.cc on every RAW free.
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
    const Table* const table = roots_[address >> kTableShift].load(std::memory_order_acquire);
    if (table == nullptr) [[likely]]
      return nullptr;
    const Granule& granule = table->granules[(address >> kGranuleShift) & (kTableGranules - 1)];
    const std::size_t slice = (address >> kSliceShift) & (kSlicesPerGranule - 1);
    // As long as one slice is taken its owner does not change, but for becoming a leaf that says
    // the same: who asks for a block of his own finds one of the two.
    if ((granule.taken.load(std::memory_order_acquire) >> slice & 1) == 0) return nullptr;
    const std::uintptr_t owner = granule.owner.load(std::memory_order_acquire);
    if ((owner & kIsLeaf) != 0) [[unlikely]]
      return LeafOf(owner)->slices[slice].load(std::memory_order_relaxed);
    return reinterpret_cast<Region*>(owner);  // NOLINT(performance-no-int-to-ptr)
  }

  // Enters `region` for the slices of [begin, end), or takes them out (nullptr). False when there
  // is no memory for a table or a leaf; then nothing has been entered. The caller holds the mapping
  // lock (fork_guard.h).
  static bool Assign(std::uintptr_t begin, std::uintptr_t end, Region* region) noexcept;

 private:
  static constexpr int kAddressBits = 47;
  static constexpr int kTableShift = 32;
  static constexpr std::size_t kTableGranules = std::size_t{1} << (kTableShift - kGranuleShift);
  static constexpr std::size_t kRoots = std::size_t{1} << (kAddressBits - kTableShift);
  static constexpr std::uintptr_t kIsLeaf = 1;

  struct Leaf {
    std::array<std::atomic<Region*>, kSlicesPerGranule> slices;
  };
  struct Granule {
    std::atomic<std::uintptr_t> owner;  // a Region, or a Leaf with the lowest bit set
    std::atomic<std::uint32_t> taken;   // a bit for each slice that has an owner
  };
  struct Table {
    std::array<Granule, kTableGranules> granules;
  };
  static_assert(kSlicesPerGranule == 32);
  static_assert(alignof(Region) > kIsLeaf);

  static Leaf* LeafOf(std::uintptr_t owner) noexcept {
    return reinterpret_cast<Leaf*>(owner - kIsLeaf);  // NOLINT(performance-no-int-to-ptr)
  }
  static Granule* GranuleAt(std::uintptr_t address) noexcept;
  static bool Prepare(std::uintptr_t address, const Region* region) noexcept;
  static void Enter(Granule* granule, std::size_t first, std::size_t last, Region* region) noexcept;

  static std::array<std::atomic<Table*>, kRoots>
      roots_;  // in .bss: 256 KiB of address space, touched where used
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_ADDRESS_MAP_H_
