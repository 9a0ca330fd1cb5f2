// Finishing: the end of mortals that an immortal holder would never let go of. A file is flushed
// and closed, a socket closed, a finalizer run, at the exit of the process.
//
// The list is a Python list of weak references; of strong ones where the type has no place for weak
// ones and the arena holds the object anyway. So what dies before the exit, dies as usual.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_FINISH_H_
#define FROZEN_ARENA_PYTHON_FREEZE_FINISH_H_

#include <Python.h>

namespace frozen_arena {

// Adds `object`, which has a finalizer. `held_by_arena`: another object of the arena refers to it.
// False with an exception set.
bool AddFinalisable(PyObject* list, PyObject* object, bool held_by_arena);

// Finishes what the list still names, in this order: text files, then files of Python classes
// around another file (GzipFile), then buffered ones, then raw ones, then sockets, then other
// finalizers, temporary files among them. Empties the list; a second call does nothing. Errors are
// reported as unraisable. Meant for atexit, in whichever process exits in order: what an ordinary
// exit would do. Needs the GIL.
void FinishAll(PyObject* list);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_FINISH_H_
