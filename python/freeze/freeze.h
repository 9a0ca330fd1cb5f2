// Freezing: turns the live blocks of a building arena into immortal, warmed, untracked objects.
//
// Called at the exit of a block, with routing off for this thread, after a full collection, before
// the seal. README.md has the order of the steps and why.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_FREEZE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_FREEZE_H_

#include <Python.h>

#include <cstddef>
#include <vector>

#include "arena/arena.h"
#include "python/freeze/type_counts.h"

namespace frozen_arena {

struct FreezeOptions {
  PyObject* keep_mortal = nullptr;  // borrowed: a tuple of types, or a callable, or nullptr
  PyObject* also_freeze = nullptr;  // likewise
  bool instance_dicts = false;      // materialise __dict__ of instances, for pickle and vars()
};

struct FreezeLedger {
  // objects == frozen + mortal, blocks == objects + unknown: checked before it is handed out.
  std::size_t blocks = 0;
  std::size_t objects = 0;
  std::size_t frozen = 0;
  std::size_t mortal = 0;
  std::size_t unknown_blocks = 0;
  std::size_t warmed_hashes = 0;
  std::size_t warmed_utf8 = 0;
  std::size_t materialised_dicts = 0;
  std::size_t untracked = 0;
  std::vector<TypeCount> frozen_types;  // most frequent first
  std::vector<TypeCount> mortal_types;
};

// Freezes what `arena` holds. Needs the GIL. False with a Python exception set when a predicate of
// the caller raised (then nothing has been frozen) or there was no memory for the object list
// (likewise). `finalisable` is a Python list that receives what must be finished at exit (see
// finish.h).
bool FreezeObjects(Arena& arena, const FreezeOptions& options, PyObject* finalisable,
                   FreezeLedger* ledger);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_FREEZE_H_
