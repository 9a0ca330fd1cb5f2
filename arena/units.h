// Units of memory. `Bytes` is the type of options, so that a bare number or a count of OS pages is
// refused there. Inside the layer sizes are std::size_t in bytes; what counts OS pages or slices
// says so in its name or comment.
//
// "OS page" is the kernel's page (4 KiB on x86-64; asked for at run time elsewhere), "slice" is
// mimalloc's unit of 64 KiB, "granule" is the 2 MiB that can be one huge page. "Page" alone is
// never written, but in the kernel's words page table and page cache.
#ifndef FROZEN_ARENA_ARENA_UNITS_H_
#define FROZEN_ARENA_ARENA_UNITS_H_

#include <compare>
#include <cstddef>
#include <cstdint>

namespace frozen_arena {

// A number of bytes. Explicit to construct, so that a bare 4096 is refused by the compiler.
struct Bytes {
  std::size_t value = 0;
  constexpr explicit Bytes(std::size_t bytes) : value(bytes) {}
  constexpr Bytes() = default;
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes operator+(Bytes other) const { return Bytes(value + other.value); }
};

inline constexpr std::size_t kKiB = std::size_t{1} << 10;
inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr std::size_t kGiB = std::size_t{1} << 30;

// mimalloc hands out address space in slices; ownership is recorded per slice (mimalloc 3.4,
// types.h).
inline constexpr std::size_t kSliceShift = 16;
inline constexpr std::size_t kSliceSize = std::size_t{1} << kSliceShift;
// The size of a huge page on x86-64 and on aarch64 with 4 KiB OS pages.
inline constexpr std::size_t kGranuleShift = 21;
inline constexpr std::size_t kGranuleSize = std::size_t{1} << kGranuleShift;
inline constexpr std::size_t kSlicesPerGranule = kGranuleSize / kSliceSize;

constexpr std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
constexpr std::size_t RoundDown(std::size_t value, std::size_t multiple) {
  return value / multiple * multiple;
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_UNITS_H_
