// HalfBuilt: objects that C code may still be filling in. They exist already, but nothing that
// Python code can reach refers to them: `tuple(start_worker(i) for i in ...)` is left in the middle
// of building the tuple.
//
// Candidates are str, bytes, tuple, frozenset (and frozendict) with a count of one; with other
// threads in the process, with any count. What some container, object or local variable refers to
// is complete. The rest is neither warmed nor frozen. The pass only ever excludes, so a reference
// it does not know of costs a shared page and nothing else.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_HALF_BUILT_H_
#define FROZEN_ARENA_PYTHON_FREEZE_HALF_BUILT_H_

#include <cstddef>
#include <cstdint>

#include "arena/arena.h"
#include "python/freeze/address_bitmap.h"
#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/freeze/scratch.h"

namespace frozen_arena {

class HalfBuilt {
 public:
  // `span` covers every candidate. May throw std::bad_alloc.
  HalfBuilt(Arena::AddressSpan span, Policy* policy, ReadableMemory* memory)
      : referenced_(span.begin, span.end),
        unreferenced_(span.begin, span.end),
        broken_(span.begin, span.end),
        policy_(policy),
        memory_(memory) {}

  // Takes note of what `object` refers to; called for each object of the arena. May throw
  // std::bad_alloc.
  void TakeReferencesOf(PyObject* object, const TypeInfo& info);

  // `object` counts as half built until a reference is found, unless the arena has one. Called when
  // all of the arena's objects have been looked at. May throw std::bad_alloc.
  void AddCandidate(PyObject* object) {
    if (referenced_.Test(object)) return;
    unreferenced_.Set(object);
    ++left_;
  }

  // Looks for references in local variables of running frames, in what lives outside the arena, and
  // in what only the arena leads to outside; stops when nothing is left to look for. False with an
  // exception set. May throw std::bad_alloc.
  bool SearchElsewhere(const ScratchVector<std::uintptr_t>& tagged_objects);

  // Whether no reference to `object` has been found, or it is a tuple with an empty place.
  bool Contains(const PyObject* object) const noexcept {
    return (left_ != 0 && unreferenced_.Test(object)) || (has_broken_ && broken_.Test(object));
  }
  bool HasUnreferenced(const PyObject* object) const noexcept { return unreferenced_.Test(object); }

 private:
  AddressBitmap referenced_;    // by objects of the arena
  AddressBitmap unreferenced_;  // by anything
  AddressBitmap broken_;
  std::size_t left_ = 0;  // in unreferenced_
  bool has_broken_ = false;
  Policy* policy_;
  ReadableMemory* memory_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_HALF_BUILT_H_
