// ObjectList: the objects of an arena, in address order, eight bytes each; the lowest bits of an
// entry say "mortal" and "may be half built".
#ifndef FROZEN_ARENA_PYTHON_FREEZE_OBJECT_LIST_H_
#define FROZEN_ARENA_PYTHON_FREEZE_OBJECT_LIST_H_

#include <Python.h>

#include <cstdint>
#include <vector>

#include "arena/arena.h"
#include "python/freeze/freeze.h"
#include "python/freeze/half_built.h"
#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/freeze/scratch.h"

namespace frozen_arena {

inline constexpr std::uintptr_t kMortalTag = 1;
inline constexpr std::uintptr_t kCandidateTag = 2;
inline PyObject* ObjectIn(std::uintptr_t tagged) noexcept {
  return reinterpret_cast<PyObject*>(
      tagged & ~(kMortalTag | kCandidateTag));  // NOLINT(performance-no-int-to-ptr)
}

struct ObjectList {
  ScratchVector<std::uintptr_t> tagged;
  std::vector<PyObject*> finalisable;  // mortals with a finalizer
  std::size_t blocks = 0;
  std::size_t unknown_blocks = 0;
};

// Asks the caller's callables about every type in the arena, until no new ones turn up: they are
// Python code and may change what lives there. False with an exception set. May throw
// std::bad_alloc.
bool AskAboutTypes(Arena& arena, Policy* policy, ReadableMemory* memory);

// Finds and judges the objects of the arena, and what they refer to. With `strict`, each str,
// bytes, tuple and frozenset is taken for half built until a reference is found, whatever its
// count. May throw std::bad_alloc.
void CollectObjects(Arena& arena, Policy* policy, ReadableMemory* memory, bool strict,
                    HalfBuilt* half_built, ObjectList* list);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_OBJECT_LIST_H_
