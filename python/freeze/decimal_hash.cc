#include "python/freeze/decimal_hash.h"

namespace frozen_arena {
namespace {

// sys.hash_info.modulus of a 64-bit build, a Mersenne prime.
constexpr std::uint64_t kModulus = (std::uint64_t{1} << 61) - 1;
// Words of a coefficient hold 19 decimal digits each, the lowest first.
constexpr std::uint64_t kWordBase = 10'000'000'000'000'000'000u;
constexpr std::uint8_t kNegative = 1;
constexpr std::uint8_t kSpecial = 2 | 4 | 8;  // infinity, quiet and signalling NaN

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t Multiply(std::uint64_t a, std::uint64_t b) noexcept {
  return static_cast<std::uint64_t>(static_cast<Wide>(a) * b % kModulus);
}

constexpr std::uint64_t Power(std::uint64_t base, std::uint64_t exponent) noexcept {
  std::uint64_t result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = Multiply(result, base);
    base = Multiply(base, base);
  }
  return result;
}

// By Fermat's little theorem.
constexpr std::uint64_t kInverseOfTen = Power(10, kModulus - 2);
static_assert(Multiply(kInverseOfTen, 10) == 1);

}  // namespace

Py_hash_t HashOfDecimal(const PyObject* decimal) noexcept {
  const auto* const value = reinterpret_cast<const DecimalFields*>(decimal);
  if ((value->flags & kSpecial) != 0) return -1;
  const auto* const words = static_cast<const std::uint64_t*>(value->data);
  std::uint64_t coefficient = 0;
  for (Py_ssize_t i = value->length; i-- > 0;) {
    coefficient = (Multiply(coefficient, kWordBase % kModulus) + words[i] % kModulus) % kModulus;
  }
  const bool is_fraction = value->exponent < 0;
  const auto magnitude = static_cast<std::uint64_t>(value->exponent);
  const std::uint64_t scale =
      is_fraction ? Power(kInverseOfTen, 0 - magnitude) : Power(10, magnitude);
  auto hash = static_cast<Py_hash_t>(Multiply(coefficient, scale));
  if ((value->flags & kNegative) != 0) hash = -hash;
  return hash == -1 ? -2 : hash;
}

}  // namespace frozen_arena
