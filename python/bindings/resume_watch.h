// ResumeWatch: notices that a generator or coroutine was resumed. CPython 3.11 only; later versions
// tell of it through sys.monitoring (PEP 669).
//
// While something is watched, each frame is evaluated through a function of ours
// (_PyInterpreterState_SetEvalFrameFunc, PEP 523), which compares the frame with the watched ones
// and goes on to the function that was there before. CPython then no longer inlines calls from
// Python to Python: such a block is slower, no other is. Everything here needs the GIL of the main
// interpreter.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_RESUME_WATCH_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_RESUME_WATCH_H_

#include <Python.h>

#include "python/layout/object_compat.h"

#if FZA_WATCH_RESUMES

namespace frozen_arena {

// watch_resumes(frame) -> token: from now on, until the token is given back. Holds no reference: a
// generator that nobody else refers to is closed, which ends its blocks. 0 for a frame that belongs
// to no generator.
PyObject* WatchResumes(PyObject* module, PyObject* frame);

// take_resumes(token) -> bool: whether that frame was resumed since. Ends the watch.
PyObject* TakeResumes(PyObject* module, PyObject* token);

}  // namespace frozen_arena

#endif  // FZA_WATCH_RESUMES

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_RESUME_WATCH_H_
