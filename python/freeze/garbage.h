// Garbage: where a full collection has to look.
//
// A block is left with its collector paused, so there may be cycles that nobody holds, and they
// must not be frozen. A full collection walks its lists in the order in which the last one has left
// them, and reads and writes each object time and again. Nearly everything hangs on modules and on
// the variables of running frames: that is found here in one pass, with notes in bytes of its own
// and no write to any object, and only the rest is left for the collector to judge.
// docs/design/decisions.md has the figures.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_

#include <vector>

#include "python/freeze/collector_lists.h"

namespace frozen_arena {

// Adds every object of `lists`, which have just been read, that neither a module nor a running
// frame leads to: the garbage, and what only C code, suspended frames or frozen objects hold. False
// when there was no memory to find out. Needs the GIL; runs no Python code, makes no object. Takes
// a byte of memory for each 16 of the objects, as long as it runs.
bool FindSuspects(const CollectorLists& lists, std::vector<PyObject*>* suspects) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_GARBAGE_H_
