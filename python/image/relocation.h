// Relocation: what is done to a mapped image before anybody sees it: words that refer to what lies
// elsewhere in this process are patched, and what the image refers to is held.
//
// The tables come from a file: each number is compared with the size of the image, and a word that
// does not say what the table says it does is left alone.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_RELOCATION_H_
#define FROZEN_ARENA_PYTHON_IMAGE_RELOCATION_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "python/layout/object_compat.h"

namespace frozen_arena {

struct MappedImage {
  std::uintptr_t base;
  std::size_t size;  // in bytes
};

// Writes `now` to each of the words, by number, which say `then`. False at the first one that is
// not in the image, or says something else. Needs the GIL.
bool PatchWords(const MappedImage& image, std::span<const std::uint32_t> words, std::uint64_t then,
                std::uint64_t now) noexcept;

// As many references more to `object`. False when so many cannot be counted. Needs the GIL.
bool Hold(PyObject* object, std::size_t count) noexcept;
// The same of what all empty dicts share (counted on 3.11 only).
void HoldEmptyKeys(std::size_t count) noexcept;

// Pairs of words: a hash, and the key of which it is said to be. Whether all of them are in the
// image, and no key is missing.
bool PairsFit(const MappedImage& image, std::span<const std::uint32_t> pairs) noexcept;
// Returns 1 when all are as said, 0 with `*key` (borrowed) one that is not, -1 with an exception
// set. Precondition: PairsFit. Needs the GIL; runs __hash__.
int CompareHashes(const MappedImage& image, std::span<const std::uint32_t> pairs, PyObject** key);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_RELOCATION_H_
