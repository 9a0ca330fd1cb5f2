// The Python side of objects that are opted out (python/optout): plain C functions, because whoever
// calls them at the end of memory must get MemoryError, and what was begun must be undone.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_OPTOUT_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_OPTOUT_H_

#include <Python.h>

namespace frozen_arena {

// opt_out(roots: tuple, recursive: bool, finalisable: list, pending: list) -> (handle, ledger).
// From CPython 3.12 on. `finalisable` is empty, and receives what must be finished at exit; so does
// `pending`, the list of all that must be.
PyObject* OptOut(PyObject* module, PyObject* arguments);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_OPTOUT_H_
