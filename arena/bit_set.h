// BitSet: a set of small numbers (slices of a track, OS pages of a range) that can be walked run by
// run. Grows on Set; what was never set is absent. Allocates; may throw std::bad_alloc.
#ifndef FROZEN_ARENA_ARENA_BIT_SET_H_
#define FROZEN_ARENA_ARENA_BIT_SET_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace frozen_arena {

class BitSet {
 public:
  bool Has(std::size_t index) const noexcept {
    const std::size_t word = index / 64;
    return word < words_.size() && ((words_[word] >> (index % 64)) & 1) != 0;
  }

  // Makes room for `count` numbers, after which Set on them cannot throw.
  void Reserve(std::size_t count) {
    const std::size_t words = (count + 63) / 64;
    if (words > words_.size()) words_.resize(words, 0);
  }

  void Set(std::size_t begin, std::size_t end) {
    Reserve(end);
    for (std::size_t i = begin; i < end;) {
      if (i % 64 == 0 && end - i >= 64) {
        words_[i / 64] = ~std::uint64_t{0};
        i += 64;
      } else {
        words_[i / 64] |= std::uint64_t{1} << (i % 64);
        ++i;
      }
    }
  }

  void Clear(std::size_t begin, std::size_t end) noexcept {
    for (std::size_t i = begin; i < end && i / 64 < words_.size(); ++i) {
      words_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    }
  }

  bool AnyIn(std::size_t begin, std::size_t end) const noexcept {
    for (std::size_t i = begin; i < end; ++i) {
      if (Has(i)) return true;
    }
    return false;
  }

  std::size_t CountIn(std::size_t begin, std::size_t end) const noexcept {
    std::size_t count = 0;
    for (std::size_t i = begin; i < end; ++i) count += Has(i) ? 1 : 0;
    return count;
  }

  // No member is this big.
  std::size_t Limit() const noexcept { return words_.size() * 64; }
  // The first number of [from, end) that is a member, or `end`.
  std::size_t NextMember(std::size_t from, std::size_t end) const noexcept {
    return Next(from, end, 0);
  }
  // The first number of [from, end) that is not, or `end`.
  std::size_t NextGap(std::size_t from, std::size_t end) const noexcept {
    return Next(from, end, ~std::uint64_t{0});
  }

  // One more than the last member, or 0.
  std::size_t End() const noexcept {
    for (std::size_t word = words_.size(); word-- > 0;) {
      if (words_[word] != 0) return word * 64 + std::bit_width(words_[word]);
    }
    return 0;
  }

  std::size_t Count() const noexcept {
    std::size_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
    return count;
  }

  bool Empty() const noexcept { return Count() == 0; }

  // Calls visit(begin, end) for each maximal run of members, in order.
  template <typename Visit>
  void ForEachRun(Visit visit) const {
    const std::size_t limit = words_.size() * 64;
    std::size_t i = 0;
    while (i < limit) {
      if (words_[i / 64] == 0) {
        i = (i / 64 + 1) * 64;
        continue;
      }
      if (!Has(i)) {
        ++i;
        continue;
      }
      std::size_t end = i + 1;
      while (end < limit && Has(end)) ++end;
      visit(i, end);
      i = end;
    }
  }

 private:
  // The first number of [from, end) that is a member of what the words are after `flip`, or `end`.
  std::size_t Next(std::size_t from, std::size_t end, std::uint64_t flip) const noexcept {
    for (std::size_t at = from; at < end; at = (at / 64 + 1) * 64) {
      const std::uint64_t word = (at / 64 < words_.size() ? words_[at / 64] : 0) ^ flip;
      const std::uint64_t left = word >> (at % 64);
      if (left != 0) return std::min(at + static_cast<std::size_t>(std::countr_zero(left)), end);
    }
    return end;
  }

  std::vector<std::uint64_t> words_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_BIT_SET_H_
