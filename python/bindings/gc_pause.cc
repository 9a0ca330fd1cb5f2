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
PyObject* put_away = nullptr;  // a list, empty: making one when it is needed would use a free list

void AfterCollection(const std::string& phase, const py::handle& /*info*/) {
  if (phase == "stop" && open_blocks > 0) PyGC_Disable();
}

void Collect() noexcept {
  // PyGC_Collect returns at once when collection is disabled.
  const bool enabled = PyGC_Enable() != 0;
  PyGC_Collect();
  if (!enabled) PyGC_Disable();
}

// Moves all items of one list to the front of another, without making an object. False: there was
// no memory, and they are still where they were.
bool MoveItems(PyObject* from, PyObject* to) noexcept {
  if (PyList_SetSlice(to, 0, 0, from) != 0) {
    PyErr_Clear();
    return false;
  }
  return PyList_SetSlice(from, 0, PyList_GET_SIZE(from), nullptr) == 0;  // needs no memory
}

// Callbacks of a collection are called after it has emptied the free lists, and leave there what
// they made, a dict at least. So the lists are emptied once more, with nobody looking.
void EmptyFreeLists() noexcept {
  if (PyList_GET_SIZE(put_away) != 0) MoveItems(put_away, callbacks);
  if (PyList_GET_SIZE(callbacks) == 0 || !MoveItems(callbacks, put_away)) return;
  Collect();
  MoveItems(put_away, callbacks);  // or, without memory, when a block next begins or ends
}

}  // namespace

void GcPause::Prepare() {
  // Anew in each interpreter that an embedding program starts; those of the last one are gone.
  watching = false;
  py::object list = py::module_::import("gc").attr("callbacks");
  callbacks = list.release().ptr();
  py::cpp_function after_collection(&AfterCollection);
  callback = after_collection.release().ptr();
  put_away = py::list().release().ptr();
}

void GcPause::Begin() noexcept {
  if (open_blocks == 0) was_enabled = PyGC_Disable() != 0;
  ++open_blocks;
}

bool GcPause::IsOn() noexcept { return open_blocks > 0; }

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
  if (!lists.Read() || !FindSuspects(lists, &suspects)) {
    Collect();
    return EmptyFreeLists();
  }
  lists.SetAsideAllBut(suspects);
  Collect();  // of nothing, most of the time; it empties the free lists, for which there is no
              // other call
  EmptyFreeLists();
  lists.PutBack();
}

void GcPause::LetOneRun() noexcept {
  if (open_blocks > 0 && was_enabled) PyGC_Enable();
}

}  // namespace frozen_arena
