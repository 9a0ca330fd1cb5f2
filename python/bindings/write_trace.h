// The record of a write watch (arena/write_watch.h): who wrote, with the Python stack, line by
// line.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_WRITE_TRACE_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_WRITE_TRACE_H_

#include <pybind11/pybind11.h>

namespace frozen_arena {

// Adds trace_writes_begin(arenas, limit), trace_writes_end(), traced_count() and
// traced_writes(first) to the module. All need the GIL.
void BindWriteTrace(pybind11::module_& module);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_WRITE_TRACE_H_
