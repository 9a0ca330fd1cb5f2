#include "arena/directory.h"

#include <algorithm>
#include <new>

#include "arena/os_memory.h"

namespace frozen_arena {
namespace {

// In the data of the shared object, where a reader looks for it; `self` is filled in with the first
// entry.
DirectoryRoot g_root = {
    {'f', 'r', 'o', 'z', 'e', 'n', ' ', 'a', 'r', 'e', 'n', 'a', ' ', '1', '\n', '\0'},
    kDirectoryFormat,
    0,
    0,
    0,
    0};
std::uint64_t g_sealed = 0;

std::uint64_t AddressOf(const void* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

DirectoryEntry* EntryAt(std::uint64_t address) noexcept {
  return reinterpret_cast<DirectoryEntry*>(address);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

std::uintptr_t AddressOfDirectory() noexcept { return AddressOf(&g_root); }

void SetDirectoryNote(const void* bytes, std::size_t size) noexcept {
  g_root.note = AddressOf(bytes);
  g_root.note_size = size;
}

void Directory::AddExtent(const Extent& extent, std::uintptr_t pristine, const BitSet* live,
                          std::uintptr_t base) noexcept {
  try {
    std::uint64_t words = 0;
    if (live != nullptr) {
      const std::size_t first = (extent.address - base) / os::PageSize();
      const std::size_t count = extent.size / os::PageSize();
      std::vector<std::uint64_t> bits((count + 63) / 64);
      for (std::size_t i = live->NextMember(first, first + count); i < first + count;
           i = live->NextMember(i + 1, first + count)) {
        bits[(i - first) / 64] |= std::uint64_t{1} << ((i - first) % 64);
      }
      live_.push_back(std::move(bits));
      words = AddressOf(live_.back().data());
    }
    extents_.push_back({extent.address, extent.size, pristine, lane_, words});
  } catch (const std::bad_alloc&) {
    complete_ = false;
  }
}

void Directory::AddArea(std::uintptr_t begin, std::size_t size, std::size_t block_size) noexcept {
  try {
    areas_.push_back({begin, size, block_size});
  } catch (const std::bad_alloc&) {
    complete_ = false;
  }
}

void Directory::Publish() noexcept {
  if (extents_.empty()) return;
  std::sort(extents_.begin(), extents_.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  std::sort(areas_.begin(), areas_.end(),
            [](const auto& a, const auto& b) { return a.begin < b.begin; });
  areas_.shrink_to_fit();
  entry_ = {g_root.first,        ++g_sealed,
            complete_ ? 1U : 0U, AddressOf(extents_.data()),
            extents_.size(),     AddressOf(areas_.data()),
            areas_.size()};
  g_root.self = AddressOf(&g_root);
  g_root.first = AddressOf(&entry_);
  published_ = true;
}

void Directory::Withdraw() noexcept {
  if (published_) {
    std::uint64_t* link = &g_root.first;
    while (*link != AddressOf(&entry_)) link = &EntryAt(*link)->next;
    *link = entry_.next;
  }
  published_ = false;
  complete_ = true;
  extents_ = {};
  areas_ = {};
  live_ = {};
}

std::uintptr_t Directory::entry() const noexcept { return published_ ? AddressOf(&entry_) : 0; }

}  // namespace frozen_arena
