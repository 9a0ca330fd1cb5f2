// A bit for each 16 bytes of a span of addresses: a set of objects that is cheap to ask millions of
// times.
//
// Two levels, because the span of a lane may hold wide holes: chunks of 16 MiB of addresses (128
// KiB of bits, which stays in the second-level cache of the processor while a walk goes through it)
// that exist once something in them has been set.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_
#define FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "python/freeze/scratch.h"

namespace frozen_arena {

class AddressBitmap {
 public:
  // Covers [begin, end). May throw std::bad_alloc.
  AddressBitmap(std::uintptr_t begin, std::uintptr_t end)
      : begin_(begin & ~(kChunkSpan - 1)), size_(end > begin ? end - begin_ : 0) {
    chunks_.resize((size_ + kChunkSpan - 1) / kChunkSpan);
  }

  bool Covers(const void* address) const noexcept { return OffsetOf(address) < size_; }

  // Addresses outside are not set and never found. Set may throw std::bad_alloc.
  void Set(const void* address) {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return;
    ScratchTable<std::uint64_t>& chunk = chunks_[offset / kChunkSpan];
    if (chunk.empty()) [[unlikely]]
      chunk = ScratchTable<std::uint64_t>(kChunkWords);
    chunk[WordOf(offset)] |= BitOf(offset);
  }

  // Whether it was set.
  bool Clear(const void* address) noexcept {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return false;
    const ScratchTable<std::uint64_t>& chunk = chunks_[offset / kChunkSpan];
    if (chunk.empty()) return false;
    std::uint64_t& word = chunk[WordOf(offset)];
    if ((word & BitOf(offset)) == 0) return false;
    word &= ~BitOf(offset);
    return true;
  }

  bool Test(const void* address) const noexcept {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return false;
    const ScratchTable<std::uint64_t>& chunk = chunks_[offset / kChunkSpan];
    return !chunk.empty() && (chunk[WordOf(offset)] & BitOf(offset)) != 0;
  }

 private:
  static constexpr std::uintptr_t kChunkSpan = std::uintptr_t{1} << 24;
  static constexpr std::size_t kChunkWords = kChunkSpan / 16 / 64;

  std::uintptr_t OffsetOf(const void* address) const noexcept {
    // Below begin_ it wraps, to far beyond size_.
    return reinterpret_cast<std::uintptr_t>(address) - begin_;
  }
  static std::size_t WordOf(std::uintptr_t offset) noexcept {
    return offset % kChunkSpan / 16 / 64;
  }
  static std::uint64_t BitOf(std::uintptr_t offset) noexcept {
    return std::uint64_t{1} << (offset / 16 % 64);
  }

  std::uintptr_t begin_;
  std::uintptr_t size_;
  std::vector<ScratchTable<std::uint64_t>> chunks_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_
