#include "python/bindings/optout.h"

#include <memory>
#include <vector>

#include "arena/os_memory.h"
#include "python/layout/internals.h"
#include "python/optout/opted_out.h"

namespace frozen_arena {
namespace {

constexpr char kHandle[] = "frozen_arena.OptedOut";

void DeleteHandle(PyObject* capsule) {
  delete static_cast<OptedOut*>(PyCapsule_GetPointer(capsule, kHandle));
}

// [(type, reason, count), ...], a new reference, or nullptr with an exception set.
PyObject* ListOf(const std::vector<TypeCount>& counts) {
  PyObject* const list = PyList_New(0);
  if (list == nullptr) return nullptr;
  for (const TypeCount& count : counts) {
    PyObject* const row =
        Py_BuildValue("(ssK)", count.type.c_str(), count.reason.c_str(),
                      static_cast<unsigned long long>(count.count));  // NOLINT(google-runtime-int)
    const bool added = row != nullptr && PyList_Append(list, row) == 0;
    Py_XDECREF(row);
    if (added) continue;
    Py_DECREF(list);
    return nullptr;
  }
  return list;
}

PyObject* DictOf(const OptOutLedger& ledger, double seconds) {
  PyObject* const types = ListOf(ledger.types);
  PyObject* const left_out_types = types == nullptr ? nullptr : ListOf(ledger.left_out_types);
  if (left_out_types == nullptr) {
    Py_XDECREF(types);
    return nullptr;
  }
  return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:d,s:N,s:N}", "objects",
                       static_cast<Py_ssize_t>(ledger.objects), "opted_out",
                       static_cast<Py_ssize_t>(ledger.opted_out), "left_out",
                       static_cast<Py_ssize_t>(ledger.left_out), "warmed_hashes",
                       static_cast<Py_ssize_t>(ledger.warmed_hashes), "warmed_utf8",
                       static_cast<Py_ssize_t>(ledger.warmed_utf8), "untracked",
                       static_cast<Py_ssize_t>(ledger.untracked), "seconds", seconds, "types",
                       types, "left_out_types", left_out_types);
}

// (handle, ledger), a new reference, or nullptr with an exception set. Takes the handle, then.
PyObject* Pack(std::unique_ptr<OptedOut>* handle, const OptOutLedger& ledger, double seconds) {
  PyObject* const counts = DictOf(ledger, seconds);
  if (counts == nullptr) return nullptr;
  PyObject* const capsule = PyCapsule_New(handle->get(), kHandle, &DeleteHandle);
  PyObject* const result = capsule == nullptr ? nullptr : PyTuple_Pack(2, capsule, counts);
  Py_DECREF(counts);
  if (result != nullptr) static_cast<void>(handle->release());
  if (result == nullptr && capsule != nullptr) PyCapsule_SetDestructor(capsule, nullptr);
  Py_XDECREF(capsule);
  return result;
}

}  // namespace

PyObject* OptOut(PyObject* /*module*/, PyObject* arguments) {
  PyObject* roots = nullptr;
  int recursive = 0;
  PyObject* finalisable = nullptr;
  PyObject* pending = nullptr;
  if (PyArg_ParseTuple(arguments, "O!pO!O!", &PyTuple_Type, &roots, &recursive, &PyList_Type,
                       &finalisable, &PyList_Type, &pending) == 0) {
    return nullptr;
  }
  const double begun = os::Seconds();
  OptOutLedger ledger;
  std::unique_ptr<OptedOut> handle =
      OptedOut::SwitchOff(roots, recursive != 0, finalisable, &ledger);
  if (handle == nullptr) return nullptr;
  const Py_ssize_t end = PyList_GET_SIZE(pending);
  const bool listed = PyList_SetSlice(pending, end, end, finalisable) == 0;
  PyObject* const result = listed ? Pack(&handle, ledger, os::Seconds() - begun) : nullptr;
  if (result == nullptr) {
    handle->Undo();
    if (listed) PyList_SetSlice(pending, end, PyList_GET_SIZE(pending), nullptr);
    return nullptr;
  }
  TagImmortalLocals();
  return result;
}

}  // namespace frozen_arena
