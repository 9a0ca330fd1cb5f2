// A bit for each 16 bytes of a span of addresses: a set of objects that is cheap to ask millions of
// times.
//
// Two levels, because a span may hold wide holes: chunks of 16 MiB of addresses (128 KiB of bits,
// which stays in the second-level cache of the processor while a walk goes through it) that exist
// once something in them has been set. The table of chunks is zeros of the system, so that a span
// may be all of an address space.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_
#define FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_

#include <algorithm>
#include <bit>
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
    if (size_ != 0) directory_ = Directory((size_ + kChunkSpan - 1) / kChunkSpan, true);
  }
  // Everything that the kernel gives to a process.
  static AddressBitmap OfAllAddresses() { return {0, std::uintptr_t{1} << 48}; }

  bool Covers(const void* address) const noexcept { return OffsetOf(address) < size_; }

  // Addresses outside are not set and never found. Set may throw std::bad_alloc.
  void Set(const void* address) {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return;
    std::uint64_t*& chunk = directory_[offset / kChunkSpan];
    if (chunk == nullptr) [[unlikely]] {
      chunks_.push_back({offset / kChunkSpan, ScratchTable<std::uint64_t>(kChunkWords)});
      chunk = chunks_.back().bits.data();
    }
    chunk[WordOf(offset)] |= BitOf(offset);
  }

  // Whether it was set.
  bool Clear(const void* address) noexcept {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return false;
    std::uint64_t* const chunk = directory_[offset / kChunkSpan];
    if (chunk == nullptr) return false;
    std::uint64_t& word = chunk[WordOf(offset)];
    if ((word & BitOf(offset)) == 0) return false;
    word &= ~BitOf(offset);
    return true;
  }

  bool Test(const void* address) const noexcept {
    const std::uintptr_t offset = OffsetOf(address);
    if (offset >= size_) return false;
    const std::uint64_t* const chunk = directory_[offset / kChunkSpan];
    return chunk != nullptr && (chunk[WordOf(offset)] & BitOf(offset)) != 0;
  }

  // Calls `visit(address)` for what is set, in the order of the addresses.
  template <typename Visit>
  void ForEach(Visit&& visit) {
    std::sort(chunks_.begin(), chunks_.end(),
              [](const Chunk& a, const Chunk& b) { return a.number < b.number; });
    for (const Chunk& chunk : chunks_) {
      ForEachInChunk(chunk.bits.data(), begin_ + chunk.number * kChunkSpan, visit);
    }
  }

 private:
  static constexpr std::uintptr_t kChunkSpan = std::uintptr_t{1} << 24;
  static constexpr std::size_t kChunkWords = kChunkSpan / 16 / 64;
  using Directory = ScratchTable<std::uint64_t*>;
  struct Chunk {
    std::uintptr_t number;
    ScratchTable<std::uint64_t> bits;
  };

  template <typename Visit>
  static void ForEachInChunk(const std::uint64_t* chunk, std::uintptr_t begin, Visit&& visit) {
    for (std::size_t word = 0; word < kChunkWords; ++word) {
      for (std::uint64_t bits = chunk[word]; bits != 0; bits &= bits - 1) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
        visit(begin + (word * 64 + bit) * 16);
      }
    }
  }

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
  Directory directory_;  // of what chunks_ owns, by number; null where nothing was set
  std::vector<Chunk> chunks_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_ADDRESS_BITMAP_H_
