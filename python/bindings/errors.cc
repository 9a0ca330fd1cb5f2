#include "python/bindings/errors.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

const char* ExceptionFor(Status status) {
  switch (status) {
    case Status::kWrongState:
    case Status::kSomeoneHookedOnTop:
      return "ArenaStateError";
    case Status::kUnsupported:
      return "Unsupported";
    case Status::kOk:
    case Status::kNoMemory:
      break;
  }
  return "FrozenArenaError";
}

}  // namespace

void ThrowStatus(Status status) {
  const py::object type = py::module_::import("frozen_arena.errors").attr(ExceptionFor(status));
  PyErr_SetString(type.ptr(), Describe(status));
  throw py::error_already_set();
}

}  // namespace frozen_arena
