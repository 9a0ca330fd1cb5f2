// Immortalising: the writes after which counting references to an object never writes again
// (3.12+).
#ifndef FROZEN_ARENA_PYTHON_FREEZE_IMMORTALIZE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_IMMORTALIZE_H_

#include "python/layout/words.h"

namespace frozen_arena {

// Precondition: kHasImmortal, and `object` is complete. With `mark_interned` every str says that it
// is interned: debug builds of the interpreter assert that an immortal one is.
inline void Immortalize(PyObject* object, bool mark_interned) noexcept {
  if (PyUnicode_Check(object)) {
    // A mortal interned str with an immortal count is what the interpreter never makes: it would
    // count the two references of the table of interned strings when it takes the str out.
    auto& state = StrHead(object)->state;
    if (state.interned == kInternedMortal || (mark_interned && state.interned == 0)) {
      state.interned = kInternedImmortal;
    }
  }
  if (!IsImmortalForGood(object)) WriteImmortalCount(object);
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_IMMORTALIZE_H_
