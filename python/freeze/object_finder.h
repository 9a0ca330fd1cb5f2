// ObjectFinder: which block of the objects lane holds an object, and where it begins in it.
//
// Memory is looked at that may be anything, so no word is followed before it is known to point to
// readable memory, and no GC link is believed before both neighbours point back. What matches
// nothing is left alone. README.md has the rule.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_OBJECT_FINDER_H_
#define FROZEN_ARENA_PYTHON_FREEZE_OBJECT_FINDER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/layout/words.h"

namespace frozen_arena {

class ObjectFinder {
 public:
  ObjectFinder(Policy* policy, ReadableMemory* memory) : policy_(policy), memory_(memory) {}

  // The object in `block`, with the description of its type, or nullptr. May throw std::bad_alloc.
  PyObject* Match(void* block, std::size_t size, TypeInfo** info) {
    // A GC link or a pre-header word is no plausible count, so most blocks fail the wrong offsets
    // at once. An item of a tuple can look like a type at the largest one: never try that first.
    for (std::size_t offset = 0; offset <= kMaxPrefix; offset += kPrefixStep) {
      if (size < offset + sizeof(PyObject)) return nullptr;
      const auto at = static_cast<std::ptrdiff_t>(offset);
      if (!IsPlausibleCount(WordAt(block, at))) continue;
      const void* const type = PointerAt<void>(block, at + kTypeOffset);
      TypeInfo* const found = InfoOf(type);
      if (found == nullptr || found->prefix != offset) continue;
      auto* const object = reinterpret_cast<PyObject*>(static_cast<char*>(block) + offset);
      if (found->has_gc && IsTracked(object) && !LinksAreSane(object)) continue;
      *info = found;
      return object;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kPrefixStep = 16;
  static constexpr std::size_t kMaxPrefix = 32;
  static constexpr std::ptrdiff_t kTypeOffset = offsetof(PyObject, ob_type);

  TypeInfo* InfoOf(const void* word) {
    if (word == last_word_) return last_info_;
    TypeInfo* info = policy_->types().Find(word);
    if (info == nullptr) info = Discover(word);
    if (info == nullptr) return nullptr;
    last_word_ = word;
    last_info_ = info;
    return info;
  }
  TypeInfo* Discover(const void* word);
  bool IsType(const void* word, int hops);
  bool LinksAreSane(PyObject* object);

  Policy* policy_;
  ReadableMemory* memory_;
  // Neighbours are often of one type; words that are no types come in runs as well.
  const void* last_word_ = nullptr;
  TypeInfo* last_info_ = nullptr;
  std::array<const void*, 256> refused_{};
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_OBJECT_FINDER_H_
