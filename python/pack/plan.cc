#include "python/pack/plan.h"

#include <algorithm>
#include <array>

#include "python/layout/fields.h"
#include "python/layout/words.h"
#include "python/pack/leaves.h"

namespace frozen_arena {
namespace {

bool IsKept(PyTypeObject* type) noexcept {
  const std::array kept = {Py_TYPE(Py_None),    Py_TYPE(Py_Ellipsis), Py_TYPE(Py_NotImplemented),
                           &PyBool_Type,        &PyFunction_Type,     &PyCFunction_Type,
                           &PyMethodDescr_Type, &PyWrapperDescr_Type, &PyMemberDescr_Type,
                           &PyGetSetDescr_Type, &PyModule_Type,       &PyClassMethodDescr_Type};
  return std::find(kept.begin(), kept.end(), type) != kept.end() ||
         PyType_IsSubtype(type, &PyType_Type) != 0;
}

bool IsLeaf(const PyTypeObject* type) noexcept {
  return type == &PyLong_Type || type == &PyFloat_Type || type == &PyComplex_Type ||
         type == &PyUnicode_Type || type == &PyBytes_Type;
}

// Whether `type` says of `name` what object says, and not more.
bool IsAsInObject(PyTypeObject* type, const char* name, bool* failed) {
  PyObject* const key = PyUnicode_InternFromString(name);
  if (key == nullptr) {
    *failed = true;
    return false;
  }
  const bool same = _PyType_Lookup(type, key) == _PyType_Lookup(&PyBaseObject_Type, key);
  Py_DECREF(key);
  return same;
}

// Whether nothing in the class has a say in how its instances are copied.
bool PicklesAsUsual(PyTypeObject* type, bool takes_arguments, bool* failed) {
  for (const char* const name : {"__reduce_ex__", "__reduce__", "__getstate__", "__setstate__"}) {
    if (!IsAsInObject(type, name, failed)) return false;
  }
  if (takes_arguments) return true;  // a named tuple: its items are its arguments
  return IsAsInObject(type, "__getnewargs__", failed) &&
         IsAsInObject(type, "__getnewargs_ex__", failed);
}

bool IsNamedTuple(PyTypeObject* type) noexcept {
  return PyType_IsSubtype(type, &PyTuple_Type) != 0 && BestCBase(type) == &PyTuple_Type &&
         type->tp_basicsize == PyTuple_Type.tp_basicsize && type->tp_dictoffset == 0 &&
         !HasFlag(type, kPreHeaderFlags);
}

// Where the instances of `type` hold their slots, in the order of the layout.
std::vector<std::int32_t> SlotsOf(PyTypeObject* type) {
  std::vector<std::int32_t> slots;
  for (const Field& field : FieldsOf(type).fields) {
    if (field.kind == FieldKind::kReference) slots.push_back(field.offset);
  }
  return slots;
}

}  // namespace

const Plan* Plans::For(PyTypeObject* type) {
  if (type == last_type_) return last_plan_;
  auto found = plans_.find(type);
  if (found == plans_.end()) {
    Plan plan{Copying::kReduced, nullptr, {}};
    if (!Make(type, &plan)) return nullptr;
    found = plans_.emplace(type, std::move(plan)).first;
  }
  last_type_ = type;
  last_plan_ = &found->second;
  return last_plan_;
}

bool Plans::Make(PyTypeObject* type, Plan* plan) {
  auto* const key = reinterpret_cast<PyObject*>(type);
  for (PyObject* const table : {reducers_, registered_}) {
    plan->reducer = PyDict_GetItemWithError(table, key);
    if (plan->reducer != nullptr) return true;
    if (PyErr_Occurred() != nullptr) return false;
  }
  bool failed = false;
  if (IsKept(type)) {
    plan->copying = Copying::kKept;
  } else if (IsLeaf(type)) {
    plan->copying = Copying::kLeaf;
  } else if (IsDate(type)) {
    plan->copying = Copying::kDate;
  } else if (type == &PyTuple_Type || (IsNamedTuple(type) && PicklesAsUsual(type, true, &failed))) {
    plan->copying = Copying::kTuple;
  } else if (type == &PyFrozenSet_Type) {
    plan->copying = Copying::kFrozenSet;
  } else if (type == &PyList_Type) {
    plan->copying = Copying::kList;
  } else if (type == &PyDict_Type) {
    plan->copying = Copying::kDict;
  } else if (type == &PySet_Type) {
    plan->copying = Copying::kSet;
  } else if (!failed && BestCBase(type) == &PyBaseObject_Type && type != &PyBaseObject_Type &&
             type->tp_itemsize == 0 && PicklesAsUsual(type, false, &failed)) {
    plan->copying = Copying::kInstance;
    plan->slots = SlotsOf(type);
  }
  return !failed;
}

}  // namespace frozen_arena
