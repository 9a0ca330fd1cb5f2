// Codes become exceptions here and nowhere else; the sentences stand in arena/status.cc.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_ERRORS_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_ERRORS_H_

#include <pybind11/pybind11.h>

#include "arena/status.h"

namespace frozen_arena {

// Raises the exception of frozen_arena.errors that belongs to `status`, which is not kOk.
[[noreturn]] void ThrowStatus(Status status);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_ERRORS_H_
