// GcPause: automatic collection rests while a block is open, and runs once each time an arena has
// doubled.
//
// A loader makes nothing but survivors, and each automatic collection goes over them again. Cyclic
// garbage must not grow without bound all the same: when an arena says that it has doubled,
// collection is enabled, the next allocation of a container starts one, and its end (seen by a
// callback in gc.callbacks) disables it again. Everything here needs the GIL of the main
// interpreter.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_GC_PAUSE_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_GC_PAUSE_H_

#include <pybind11/pybind11.h>

namespace frozen_arena {

class GcPause {
 public:
  // Looks up gc.callbacks when the module is imported. May throw
  // py::error_already_set.
  static void Prepare();
  // A block begins in which collection is to rest. The first such block disables it.
  static void Begin() noexcept;
  // Whether collection rests.
  static bool IsOn() noexcept;
  // From now on a collection is followed by disabling again. Frees no object: what went to a free
  // list here would be the first memory that the block uses. False with an exception set when there
  // is no memory.
  static bool StartWatching() noexcept;
  // A block is about to end: before its last collection, whose callbacks would otherwise leave a
  // dict of the arena in a free list.
  static void StopWatching() noexcept;
  // A block has ended. The last one sets collection to what it was before the first.
  static void End() noexcept;
  // A full collection, whether collection is enabled or not, with what gc.collect() does for the
  // user: finalizers, callbacks. Free lists are empty afterwards.
  static void CollectNow() noexcept;
  // Given to Arena as on_doubled: allocates nothing.
  static void LetOneRun() noexcept;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_GC_PAUSE_H_
