// Untracking: takes frozen objects out of the collector's lists, whose links lie in the objects and in their neighbours.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_
#define FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_

#include "python/freeze/type_info.h"
#include "python/layout/words.h"

namespace frozen_arena {

// True when `object` was in a list of the collector and no longer is. Types are parked: they stay tracked, as the test suites
// of the interpreter assert, in no list. On 3.11, where everything dies one day, so is what its destructor would untrack
// without asking whether it is tracked. TypeInfo::untrack knows both.
inline bool Untrack(PyObject* object, const TypeInfo& info) noexcept {
  if (!info.has_gc || !IsTracked(object) || IsParked(object)) return false;
  if (info.untrack) {
    PyObject_GC_UnTrack(object);
  } else {
    Park(object);
  }
  return true;
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_
