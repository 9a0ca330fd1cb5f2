#include "arena/address_map.h"

#include <algorithm>
#include <utility>

#include <sys/mman.h>

#include "arena/faults.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace frozen_arena {
namespace {

// Zero pages: null pointers. Never given back.
void* MapZeros(std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return nullptr;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
#ifdef __SANITIZE_ADDRESS__
  __lsan_register_root_region(memory, size);  // an arena that is in the map is not leaked
#endif
  return memory;
}

// Leaves that nobody has yet. Guarded by the mapping lock.
constexpr std::size_t kLeafChunk = kSliceSize;
constinit char* next_leaf = nullptr;
constinit char* last_leaf = nullptr;

void* TakeLeaf(std::size_t size) noexcept {
  if (next_leaf == last_leaf) {
    void* const chunk = MapZeros(kLeafChunk);
    if (chunk == nullptr) return nullptr;
    next_leaf = static_cast<char*>(chunk);
    last_leaf = next_leaf + kLeafChunk / size * size;
  }
  return std::exchange(next_leaf, next_leaf + size);
}

}  // namespace

constinit std::array<std::atomic<AddressMap::Table*>, AddressMap::kRoots> AddressMap::roots_{};

AddressMap::Granule* AddressMap::GranuleAt(std::uintptr_t address) noexcept {
  std::atomic<Table*>& root = roots_[address >> kTableShift];
  Table* table = root.load(std::memory_order_relaxed);
  if (table == nullptr) {
    table = static_cast<Table*>(MapZeros(sizeof(Table)));
    if (table == nullptr) return nullptr;
    root.store(table, std::memory_order_release);
  }
  return &table->granules[(address >> kGranuleShift) & (kTableGranules - 1)];
}

// After this, Enter needs no memory to enter `region` in the granule of `address`.
bool AddressMap::Prepare(std::uintptr_t address, const Region* region) noexcept {
  Granule* const granule = GranuleAt(address);
  if (granule == nullptr) return false;
  const std::uint32_t taken = granule->taken.load(std::memory_order_relaxed);
  const std::uintptr_t owner = granule->owner.load(std::memory_order_relaxed);
  const bool alone = taken == 0 || owner == reinterpret_cast<std::uintptr_t>(region);
  if ((owner & kIsLeaf) != 0 || alone || region == nullptr) return true;
  auto* const leaf = static_cast<Leaf*>(TakeLeaf(sizeof(Leaf)));
  if (leaf == nullptr) return false;
  for (std::size_t slice = 0; slice < kSlicesPerGranule; ++slice) {
    if ((taken >> slice & 1) == 0) continue;
    leaf->slices[slice].store(reinterpret_cast<Region*>(owner),  // NOLINT
                              std::memory_order_relaxed);
  }
  granule->owner.store(reinterpret_cast<std::uintptr_t>(leaf) + kIsLeaf, std::memory_order_release);
  return true;
}

void AddressMap::Enter(Granule* granule, std::size_t first, std::size_t last,
                       Region* region) noexcept {
  const std::uint32_t slices =
      static_cast<std::uint32_t>((std::uint64_t{1} << last) - (std::uint64_t{1} << first));
  if (region == nullptr) {
    granule->taken.fetch_and(~slices, std::memory_order_release);
    return;
  }
  const std::uintptr_t owner = granule->owner.load(std::memory_order_relaxed);
  if ((owner & kIsLeaf) != 0) {
    for (std::size_t slice = first; slice < last; ++slice)
      LeafOf(owner)->slices[slice].store(region, std::memory_order_relaxed);
  } else {
    granule->owner.store(reinterpret_cast<std::uintptr_t>(region), std::memory_order_relaxed);
  }
  granule->taken.fetch_or(slices, std::memory_order_release);
}

bool AddressMap::Assign(std::uintptr_t begin, std::uintptr_t end, Region* region) noexcept {
  if (begin == end) return true;
  if ((end - 1) >> kAddressBits != 0) return false;
  const std::uintptr_t from = RoundDown(begin, kSliceSize);
  for (std::uintptr_t at = from; at < end; at = RoundDown(at, kGranuleSize) + kGranuleSize) {
    if (!Prepare(at, region)) return false;
  }
  for (std::uintptr_t at = from; at < end; at = RoundDown(at, kGranuleSize) + kGranuleSize) {
    const std::uintptr_t granule = RoundDown(at, kGranuleSize);
    const std::uintptr_t stop = std::min(end, granule + kGranuleSize);
    Enter(GranuleAt(at), (at - granule) >> kSliceShift,
          (RoundUp(stop, kSliceSize) - granule) >> kSliceShift, region);
  }
  return true;
}

}  // namespace frozen_arena
