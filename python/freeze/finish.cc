#include "python/freeze/finish.h"

#include <algorithm>
#include <new>
#include <vector>

#include "python/freeze/known_types.h"

namespace frozen_arena {
namespace {

// In the order of finishing: the outer layers of a file hold what the inner ones have yet to write.
// A wrapping file is one of a class written in Python around another file: a GzipFile has a trailer
// to write.
enum class Stage { kTextFile, kWrappingFile, kBufferedFile, kRawFile, kSocket, kOther };
constexpr Stage kStages[] = {Stage::kTextFile, Stage::kWrappingFile, Stage::kBufferedFile,
                             Stage::kRawFile,  Stage::kSocket,       Stage::kOther};

Stage StageOf(PyObject* object) noexcept {
  PyTypeObject* const c_base = BestCBase(Py_TYPE(object));
  // From the type itself: the abstract classes of _io have the tp_dealloc of a class written in
  // Python.
  if (AncestorNamed(Py_TYPE(object), "_io._TextIOBase") != nullptr) return Stage::kTextFile;
  if (AncestorNamed(Py_TYPE(object), "_io._BufferedIOBase") != nullptr) {
    return c_base == Py_TYPE(object) ? Stage::kBufferedFile : Stage::kWrappingFile;
  }
  if (AncestorNamed(Py_TYPE(object), "_io._IOBase") != nullptr) return Stage::kRawFile;
  return UsuallyMortal(Py_TYPE(object), c_base) == Reason::kSocket ? Stage::kSocket : Stage::kOther;
}

// sys.stdout and the like are flushed, and closed, by the interpreter after everybody else.
bool IsStandardStream(PyObject* object) noexcept {
  for (const char* const name :
       {"stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"}) {
    if (PySys_GetObject(name) == object) return true;
  }
  return false;
}

// A new reference to what the entry names, or nullptr when it is gone.
PyObject* Resolve(PyObject* entry) {
  if (!PyWeakref_CheckRefExact(entry)) return Py_NewRef(entry);
  PyObject* const object = PyObject_CallNoArgs(entry);
  if (object == nullptr) PyErr_Clear();
  if (object != Py_None) return object;
  Py_DECREF(object);
  return nullptr;
}

// Whether the file says that it is closed, or cannot say: nothing is left to close then.
bool IsClosed(PyObject* file) {
  PyObject* const closed = PyObject_GetAttrString(file, "closed");
  const int truth = closed == nullptr ? -1 : PyObject_IsTrue(closed);
  Py_XDECREF(closed);
  PyErr_Clear();
  return truth != 0;
}

void Close(PyObject* object) {
  PyObject* const result = PyObject_CallMethod(object, "close", nullptr);
  if (result == nullptr) PyErr_WriteUnraisable(object);
  Py_XDECREF(result);
}

void Finalize(PyObject* object) {
  PyTypeObject* const type = Py_TYPE(object);
  // Does nothing for what has been finalized already.
  if (type->tp_finalize != nullptr) {
    PyObject_CallFinalizer(object);
  } else if (type->tp_del != nullptr) {
    type->tp_del(object);
  }
  if (PyErr_Occurred() != nullptr) PyErr_WriteUnraisable(object);
}

void FinishOne(PyObject* object, Stage stage) {
  switch (stage) {
    case Stage::kTextFile:
    case Stage::kWrappingFile:
    case Stage::kBufferedFile:
    case Stage::kRawFile:
      if (!IsStandardStream(object) && !IsClosed(object)) Close(object);
      return;
    case Stage::kSocket:
      Close(object);
      return;
    case Stage::kOther:
      Finalize(object);
      return;
  }
}

// Owned references to what the list names; empties the list first, so that whatever happens, it
// happens once.
std::vector<PyObject*> TakeAll(PyObject* list) {
  std::vector<PyObject*> objects;
  objects.reserve(static_cast<std::size_t>(PyList_GET_SIZE(list)));
  PyObject* const entries = PyList_GetSlice(list, 0, PyList_GET_SIZE(list));
  if (entries == nullptr || PyList_SetSlice(list, 0, PyList_GET_SIZE(list), nullptr) != 0) {
    PyErr_Clear();
    Py_XDECREF(entries);
    return objects;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(entries); ++i) {
    PyObject* const object = Resolve(PyList_GET_ITEM(entries, i));
    if (object != nullptr) objects.push_back(object);
  }
  Py_DECREF(entries);
  return objects;
}

}  // namespace

bool AddFinalisable(PyObject* list, PyObject* object, bool held_by_arena) {
  PyObject* entry = nullptr;
  if (Py_TYPE(object)->tp_weaklistoffset != 0) {
    entry = PyWeakref_NewRef(object, nullptr);
    if (entry == nullptr) return false;
  } else if (held_by_arena) {
    entry = Py_NewRef(object);
  } else {
    return true;  // dies when its holder does
  }
  const int added = PyList_Append(list, entry);
  Py_DECREF(entry);
  return added == 0;
}

void FinishAll(PyObject* list) {
  if (list == nullptr || !PyList_CheckExact(list) || PyList_GET_SIZE(list) == 0) return;
  try {
    std::vector<PyObject*> objects = TakeAll(list);
    for (const Stage stage : kStages) {
      for (PyObject*& object : objects) {
        if (object == nullptr || StageOf(object) != stage) continue;
        FinishOne(object, stage);
        Py_CLEAR(object);
      }
    }
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    PyErr_WriteUnraisable(nullptr);
  }
}

}  // namespace frozen_arena
