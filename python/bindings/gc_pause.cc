#include "python/bindings/gc_pause.h"

#include <string>
#include <vector>

#include "python/freeze/collector_lists.h"
#include "python/freeze/garbage.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

// Guarded by the GIL.
int open_blocks = 0;
bool was_enabled = false;
bool watching = false;
PyObject* callbacks =
    nullptr;  // gc.callbacks; never given back: blocks come until the interpreter ends
PyObject* callback = nullptr;

void AfterCollection(const std::string& phase, const py::handle& /*info*/) {
  if (phase == "stop" && open_blocks > 0) PyGC_Disable();
}

void Collect() noexcept {
  // PyGC_Collect returns at once when collection is disabled.
  const bool enabled = PyGC_Enable() != 0;
  PyGC_Collect();
  if (!enabled) PyGC_Disable();
}

}  // namespace

void GcPause::Prepare() {
  // Anew in each interpreter that an embedding program starts; those of the last one are gone.
  watching = false;
  py::object list = py::module_::import("gc").attr("callbacks");
  callbacks = list.release().ptr();
  py::cpp_function after_collection(&AfterCollection);
  callback = after_collection.release().ptr();
}

void GcPause::Begin() noexcept {
  if (open_blocks == 0) was_enabled = PyGC_Disable() != 0;
  ++open_blocks;
}

bool GcPause::StartWatching() noexcept {
  if (watching) return true;
  watching = PyList_Append(callbacks, callback) == 0;
  return watching;
}

void GcPause::StopWatching() noexcept {
  if (open_blocks > 1 || !watching) return;
  watching = false;
  const Py_ssize_t index = PySequence_Index(callbacks, callback);
  if (index < 0 || PySequence_DelItem(callbacks, index) != 0)
    PyErr_Clear();  // somebody has emptied the list
}

void GcPause::End() noexcept {
  if (--open_blocks > 0) return;
  if (was_enabled) {
    PyGC_Enable();
  } else {
    PyGC_Disable();
  }
}

void GcPause::CollectNow() noexcept {
  CollectorLists lists;
  std::vector<PyObject*> suspects;
  if (!lists.Read() || !FindSuspects(lists, &suspects)) return Collect();
  lists.SetAsideAllBut(suspects);
  Collect();  // of nothing, most of the time; it empties the free lists, for which there is no
              // other call
  lists.PutBack();
}

void GcPause::LetOneRun() noexcept {
  if (was_enabled) PyGC_Enable();
}

}  // namespace frozen_arena
