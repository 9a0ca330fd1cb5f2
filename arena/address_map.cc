#include "arena/address_map.h"

#include <new>

#include <sys/mman.h>

#include "arena/faults.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace frozen_arena {

constinit std::array<std::atomic<AddressMap::Leaf*>, AddressMap::kRoots> AddressMap::roots_{};

AddressMap::Leaf* AddressMap::LeafFor(std::uintptr_t address) noexcept {
  std::atomic<Leaf*>& root = roots_[address >> kLeafShift];
  if (Leaf* const leaf = root.load(std::memory_order_relaxed)) return leaf;
  if (Injected(Fault::kMemory)) return nullptr;
  void* const memory = ::mmap(nullptr, sizeof(Leaf), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  Leaf* const leaf = static_cast<Leaf*>(memory);  // zero pages are null pointers
#ifdef __SANITIZE_ADDRESS__
  __lsan_register_root_region(leaf, sizeof(Leaf));  // an arena that is in the map is not leaked
#endif
  root.store(leaf, std::memory_order_release);
  return leaf;
}

bool AddressMap::Assign(std::uintptr_t begin, std::uintptr_t end, Region* region) noexcept {
  if ((end - 1) >> kAddressBits != 0) return false;
  constexpr std::uintptr_t kLeafSize = std::uintptr_t{1} << kLeafShift;
  for (std::uintptr_t at = begin; at < end; at = RoundDown(at, kLeafSize) + kLeafSize) {
    if (LeafFor(at) == nullptr) return false;
  }
  for (std::uintptr_t at = RoundDown(begin, kSliceSize); at < end; at += kSliceSize) {
    Leaf* const leaf = roots_[at >> kLeafShift].load(std::memory_order_relaxed);
    leaf->slices[(at >> kSliceShift) & (kLeafSlices - 1)].store(region, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace frozen_arena
