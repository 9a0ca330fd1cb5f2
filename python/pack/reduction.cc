#include "python/pack/reduction.h"

#include <utility>

namespace frozen_arena {
namespace {

// The attribute, or nullptr without an exception when there is none.
PyObject* AttributeOrNull(PyObject* object, const char* name) {
  PyObject* const value = PyObject_GetAttrString(object, name);
  if (value == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError) != 0) PyErr_Clear();
  return value;
}

bool Succeeded(PyObject* result) {
  Py_XDECREF(result);
  return result != nullptr;
}

// What a reduction has at `number`, or nullptr for None and for what is not there. Borrowed.
PyObject* PartOf(PyObject* reduced, Py_ssize_t number) noexcept {
  if (PyTuple_GET_SIZE(reduced) <= number) return nullptr;
  PyObject* const part = PyTuple_GET_ITEM(reduced, number);
  return part == Py_None ? nullptr : part;
}

bool TakeList(PyObject* iterator, PyObject** list) {
  if (iterator == nullptr) return true;
  *list = PySequence_List(iterator);
  return *list != nullptr;
}

// As object.__setstate__ would be, if there were one: a dict of attributes and one of slots.
bool SetAttributes(PyObject* copy, PyObject* attributes, bool in_dict) {
  if (attributes == nullptr || attributes == Py_None) return true;
  if (!PyDict_Check(attributes)) {
    PyErr_SetString(PyExc_TypeError, "the state is no dict, and there is no __setstate__");
    return false;
  }
  PyObject* const items = PyDict_Items(attributes);
  if (items == nullptr) return false;
  bool done = true;
  for (Py_ssize_t i = 0; done && i < PyList_GET_SIZE(items); ++i) {
    PyObject* name = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 0);
    PyObject* const value = PyTuple_GET_ITEM(PyList_GET_ITEM(items, i), 1);
    Py_INCREF(name);
    if (PyUnicode_CheckExact(name)) PyUnicode_InternInPlace(&name);
    done = in_dict ? SetAttribute(copy, name, value) : PyObject_SetAttr(copy, name, value) == 0;
    Py_DECREF(name);
  }
  Py_DECREF(items);
  return done;
}

}  // namespace

Reduction::~Reduction() {
  Forget();
  Py_XDECREF(setter_);
  Py_XDECREF(callable_);
}

Reduction::Reduction(Reduction&& other) noexcept
    : callable_(std::exchange(other.callable_, nullptr)),
      setter_(std::exchange(other.setter_, nullptr)),
      arguments_(std::exchange(other.arguments_, nullptr)),
      state_(std::exchange(other.state_, nullptr)),
      items_(std::exchange(other.items_, nullptr)),
      pairs_(std::exchange(other.pairs_, nullptr)) {}

void Reduction::Forget() noexcept {
  Py_CLEAR(arguments_);
  Py_CLEAR(state_);
  Py_CLEAR(items_);
  Py_CLEAR(pairs_);
}

bool Reduction::TakeApart(PyObject* object, PyObject* reducer) {
  constexpr int kProtocol = 4;
  PyObject* const reduced = reducer != nullptr
                                ? PyObject_CallOneArg(reducer, object)
                                : PyObject_CallMethod(object, "__reduce_ex__", "i", kProtocol);
  if (reduced == nullptr) return false;
  if (PyUnicode_Check(reduced)) {
    Py_DECREF(reduced);
    return true;
  }
  bool whole = PyTuple_Check(reduced) && PyTuple_GET_SIZE(reduced) >= 2 &&
               PyTuple_GET_SIZE(reduced) <= 6 && PyTuple_Check(PyTuple_GET_ITEM(reduced, 1)) &&
               PyCallable_Check(PyTuple_GET_ITEM(reduced, 0)) != 0;
  if (!whole) {
    PyErr_SetString(PyExc_TypeError,
                    "a reducer returns a str, or a tuple of a callable, a tuple of its arguments "
                    "and up to four more, as object.__reduce__ does");
  } else {
    callable_ = Py_NewRef(PyTuple_GET_ITEM(reduced, 0));
    arguments_ = Py_NewRef(PyTuple_GET_ITEM(reduced, 1));
    state_ = Py_XNewRef(PartOf(reduced, 2));
    setter_ = Py_XNewRef(PartOf(reduced, 5));
    whole = TakeList(PartOf(reduced, 3), &items_) && TakeList(PartOf(reduced, 4), &pairs_);
  }
  Py_DECREF(reduced);
  return whole;
}

bool Reduction::SetState(PyObject* copy, PyObject* state) const {
  if (setter_ != nullptr) {
    return Succeeded(PyObject_CallFunctionObjArgs(setter_, copy, state, nullptr));
  }
  PyObject* const set_state = AttributeOrNull(copy, "__setstate__");
  if (set_state != nullptr) {
    PyObject* const result = PyObject_CallOneArg(set_state, state);
    Py_DECREF(set_state);
    return Succeeded(result);
  }
  if (PyErr_Occurred() != nullptr) return false;
  if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != 2) {
    return SetAttributes(copy, state, true);
  }
  return SetAttributes(copy, PyTuple_GET_ITEM(state, 0), true) &&
         SetAttributes(copy, PyTuple_GET_ITEM(state, 1), false);
}

bool AddItems(PyObject* copy, PyObject* items) {
  PyObject* const extend = AttributeOrNull(copy, "extend");
  if (extend != nullptr) {
    PyObject* const result = PyObject_CallOneArg(extend, items);
    Py_DECREF(extend);
    return Succeeded(result);
  }
  if (PyErr_Occurred() != nullptr) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
    PyObject* const item = PyList_GET_ITEM(items, i);
    if (!Succeeded(PyObject_CallMethod(copy, "append", "O", item))) return false;
  }
  return true;
}

bool SetAttribute(PyObject* copy, PyObject* name, PyObject* value) {
  PyObject* const of_class = _PyType_Lookup(Py_TYPE(copy), name);
  const bool is_plain = of_class == nullptr || Py_TYPE(of_class)->tp_descr_set == nullptr;
  if (is_plain) return PyObject_GenericSetAttr(copy, name, value) == 0;
  PyObject* const dict = PyObject_GetAttrString(copy, "__dict__");
  const bool done = dict != nullptr && PyObject_SetItem(dict, name, value) == 0;
  Py_XDECREF(dict);
  return done;
}

}  // namespace frozen_arena
