#include "python/bindings/gc_pause.h"

#include <string>

namespace py = pybind11;

namespace frozen_arena {
namespace {

// Guarded by the GIL.
int open_blocks = 0;
bool was_enabled = false;

void AfterCollection(const std::string& phase, const py::handle& /*info*/) {
  if (phase == "stop" && open_blocks > 0) PyGC_Disable();
}

// Made once and never freed: gc.callbacks may hold it until the interpreter ends.
py::object& Callback() {
  static py::object& callback = *new py::object(py::cpp_function(&AfterCollection));
  return callback;
}

}  // namespace

void GcPause::Begin() {
  if (open_blocks == 0) {
    py::module_::import("gc").attr("callbacks").attr("append")(Callback());
    was_enabled = PyGC_Disable() != 0;
  }
  ++open_blocks;
}

void GcPause::End() {
  if (--open_blocks > 0) return;
  if (was_enabled) {
    PyGC_Enable();
  } else {
    PyGC_Disable();
  }
  const py::object callbacks = py::module_::import("gc").attr("callbacks");
  if (callbacks.contains(Callback())) callbacks.attr("remove")(Callback());
}

void GcPause::LetOneRun() noexcept {
  if (was_enabled) PyGC_Enable();
}

}  // namespace frozen_arena
