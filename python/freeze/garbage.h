// Garbage: what a full collection would find, found faster.
//
// A block is left with its collector paused, so there may be cycles that nobody holds, and they
// must not be frozen. A full collection walks its lists in the order in which the last one has left
// them, and reads and writes each object time and again. This asks the same question of the same
// objects (references counted minus those from tracked objects, then what the rest leads to:
// deduce_unreachable in Modules/gcmodule.c, Python/gc.c from 3.13 on) with its notes in bytes of
// its own, and writes to no object. docs/design/decisions.md has the figures.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_

#include <vector>

#include "python/freeze/collector_lists.h"

namespace frozen_arena {

// Adds every object of `lists`, which have just been read, that only such objects hold. False when
// there was no memory to find out. Needs the GIL; runs no Python code, makes no object. Takes a
// byte of memory for each 16 of the objects, as long as it runs.
bool FindGarbage(const CollectorLists& lists, std::vector<PyObject*>* garbage) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_
