#include "python/image/relocation.h"

#include "python/image/sketch.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

constexpr std::size_t kWord = sizeof(void*);

// nullptr when it is not in the image.
char* WordOf(const MappedImage& image, std::uint32_t number) noexcept {
  if (number >= image.size / kWord) return nullptr;
  return reinterpret_cast<char*>(image.base + number * kWord);  // NOLINT(performance-no-int-to-ptr)
}

}  // namespace

bool PatchWords(const MappedImage& image, std::span<const std::uint32_t> words, std::uint64_t then,
                std::uint64_t now) noexcept {
  for (const std::uint32_t number : words) {
    char* const word = WordOf(image, number);
    if (word == nullptr || WordAt(word, 0) != then) return false;
    std::memcpy(word, &now, sizeof now);
  }
  return true;
}

bool Hold(PyObject* object, std::size_t count) noexcept {
  // A quarter of what the count of 3.14 can go up to before it is taken for immortal.
  constexpr auto kMost = static_cast<Py_ssize_t>(std::size_t{1} << 29);
  if constexpr (kHasImmortal) {
    // 3.12 and 3.13 go by the sign of 32 bits, 3.14 by the highest of the count.
    if ((WordAt(object, 0) & 0x80000000U) != 0) return true;
    if (static_cast<Py_ssize_t>(count) > kMost - Py_REFCNT(object)) return false;
  }
  Py_SET_REFCNT(object, Py_REFCNT(object) + static_cast<Py_ssize_t>(count));
  return true;
}

void HoldEmptyKeys(std::size_t count) noexcept {
  if constexpr (kHasImmortal) return;
  const void* const keys = EmptyKeys();
  if (keys == nullptr) {
    PyErr_Clear();
    return;
  }
  auto* const head = static_cast<DictKeysHead*>(const_cast<void*>(keys));  // NOLINT
  head->count += static_cast<Py_ssize_t>(count);
}

bool PairsFit(const MappedImage& image, std::span<const std::uint32_t> pairs) noexcept {
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const char* const key = WordOf(image, pairs[i + 1]);
    if (WordOf(image, pairs[i]) == nullptr || key == nullptr || WordAt(key, 0) == 0) return false;
  }
  return true;
}

int CompareHashes(const MappedImage& image, std::span<const std::uint32_t> pairs, PyObject** key) {
  *key = nullptr;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const char* const hash = WordOf(image, pairs[i]);
    const char* const place = WordOf(image, pairs[i + 1]);
    auto* const object = PointerAt<PyObject>(place, 0);
    const Py_hash_t now = PyObject_Hash(object);
    if (now == -1 && PyErr_Occurred() != nullptr) return -1;
    if (static_cast<std::uint64_t>(now) == WordAt(hash, 0)) continue;
    *key = object;
    return 0;
  }
  return 1;
}

}  // namespace frozen_arena
