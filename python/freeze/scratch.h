// Scratch: memory for the lists of a freeze, which are large and gone a moment later.
//
// From the system, and back to it: malloc would keep some MiB at the end of its heap, in the one
// process that every worker copies.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_SCRATCH_H_
#define FROZEN_ARENA_PYTHON_FREEZE_SCRATCH_H_

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include <sys/mman.h>

namespace frozen_arena {

// `size` bytes of zeros, or nullptr. Long ones in huge pages, where the kernel has them: a list of
// two million objects would else be four thousand page faults. Not so `sparse` ones, of which
// little will be touched.
inline void* MapScratch(std::size_t size, bool sparse = false) noexcept {
  constexpr std::size_t kLong = std::size_t{4} << 20;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (size >= kLong && !sparse) ::madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}
inline void UnmapScratch(void* memory, std::size_t size) noexcept { ::munmap(memory, size); }

// An allocator for containers of the standard library.
template <typename T>
class ScratchAllocator {
 public:
  using value_type = T;
  ScratchAllocator() = default;
  template <typename U>
  ScratchAllocator(const ScratchAllocator<U>& /*other*/) noexcept {}  // NOLINT: as allocators are

  T* allocate(std::size_t count) {
    if (count > kMax) throw std::bad_alloc();
    const std::size_t size = count * sizeof(T);
    void* const memory = size < kMapped ? ::operator new(size) : MapScratch(size);
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    const std::size_t size = count * sizeof(T);
    if (size < kMapped) {
      ::operator delete(memory);
    } else {
      UnmapScratch(memory, size);
    }
  }
  template <typename U>
  bool operator==(const ScratchAllocator<U>& /*other*/) const noexcept {
    return true;
  }

 private:
  static constexpr std::size_t kMapped = std::size_t{64} << 10;  // from this size on
  static constexpr std::size_t kMax = std::size_t{1} << 44;
};

template <typename T>
using ScratchVector = std::vector<T, ScratchAllocator<T>>;

// A table of zeros, of which only the OS pages that are written to cost anything.
template <typename T>
class ScratchTable {
 public:
  ScratchTable() = default;
  // May throw std::bad_alloc.
  explicit ScratchTable(std::size_t count, bool sparse = false)
      : size_(count * sizeof(T)), entries_(static_cast<T*>(MapScratch(size_, sparse))) {
    if (entries_ == nullptr) throw std::bad_alloc();
  }
  ~ScratchTable() {
    if (entries_ != nullptr) UnmapScratch(entries_, size_);
  }
  ScratchTable(ScratchTable&& other) noexcept
      : size_(other.size_), entries_(std::exchange(other.entries_, nullptr)) {}
  ScratchTable& operator=(ScratchTable&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(entries_, other.entries_);
    return *this;
  }

  bool empty() const noexcept { return entries_ == nullptr; }
  T* data() const noexcept { return entries_; }
  T& operator[](std::size_t index) const noexcept { return entries_[index]; }

 private:
  std::size_t size_ = 0;
  T* entries_ = nullptr;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_SCRATCH_H_
