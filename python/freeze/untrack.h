// Untracking: takes frozen objects out of the collector's lists, whose links lie in the objects and
// in their neighbours.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_
#define FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_

#include "python/freeze/type_info.h"
#include "python/layout/words.h"

namespace frozen_arena {

// Whether the collector may move this weak reference between lists: it does so with one that has a
// callback when it finds the target dead, and follows its links without asking.
inline bool IsWeakrefWithCallback(PyObject* object, const TypeInfo& info) noexcept {
  return info.per_object == PerObject::kWeakref &&
         reinterpret_cast<PyWeakReference*>(object)->wr_callback != nullptr;
}

// True when `object` was in a list of the collector and no longer is. Types are parked: they stay
// tracked, as the test suites of the interpreter assert, in no list. So are weak references with a
// callback, and on 3.11, where everything dies one day, what its destructor would untrack without
// asking.
inline bool Untrack(PyObject* object, const TypeInfo& info) noexcept {
  if (!info.has_gc || !IsTracked(object) || IsParked(object)) return false;
  if (info.untrack && !IsWeakrefWithCallback(object, info)) {
    PyObject_GC_UnTrack(object);
  } else {
    Park(object);
  }
  return true;
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_UNTRACK_H_
