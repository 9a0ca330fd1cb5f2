#include "python/pack/copies.h"

#include <cstring>

#include "python/layout/words.h"
#include "python/pack/leaves.h"

namespace frozen_arena {
namespace {

// As object.__new__ makes it, with room for the attributes that the class knows (3.11, 3.12).
PyObject* NewInstance(PyTypeObject* type) {
  PyObject* const nothing = PyTuple_New(0);
  if (nothing == nullptr) return nullptr;
  PyObject* const instance = PyBaseObject_Type.tp_new(type, nothing, nullptr);
  Py_DECREF(nothing);
  return instance;
}

// Until it is filled, whoever finds it sees a list.
PyObject* NewListOfNone(std::uint32_t size) {
  PyObject* const list = PyList_New(Py_ssize_t{size});
  for (Py_ssize_t i = 0; list != nullptr && i < PyList_GET_SIZE(list); ++i) {
    PyList_SET_ITEM(list, i, Py_NewRef(Py_None));
  }
  return list;
}

PyObject* NewTuple(const Graph& graph, const Node& node, PyTypeObject* type, std::uint32_t size) {
  PyObject* const tuple =
      type == &PyTuple_Type ? PyTuple_New(size) : type->tp_alloc(type, Py_ssize_t{size});
  if (tuple == nullptr) return nullptr;
  if constexpr (kTupleHasHash) {  // tp_alloc leaves 0 there, which would be a hash
    constexpr Py_hash_t kUnknown = -1;
    std::memcpy(reinterpret_cast<char*>(tuple) + sizeof(PyVarObject), &kUnknown, sizeof kUnknown);
  }
  for (std::uint32_t i = 0; i < size; ++i) {
    ItemsOfTuple(tuple)[i] = Py_NewRef(graph.CopyAt(node, i));
  }
  return tuple;
}

PyObject* Construct(const Graph& graph, NodeIndex index) {
  const Node& node = graph.nodes[index];
  PyObject* const arguments = NewTuple(graph, node, &PyTuple_Type, node.made_of);
  if (arguments == nullptr) return nullptr;
  PyObject* const copy =
      PyObject_CallObject(graph.reduced.at(index).reduction.callable(), arguments);
  Py_DECREF(arguments);
  return copy;
}

}  // namespace

PyObject* NewList(const Graph& graph, const Node& node, std::uint32_t begin, std::uint32_t end) {
  PyObject* const list = PyList_New(Py_ssize_t{end} - begin);
  for (std::uint32_t i = begin; list != nullptr && i < end; ++i) {
    PyList_SET_ITEM(list, Py_ssize_t{i} - begin, Py_NewRef(graph.CopyAt(node, i)));
  }
  return list;
}

// By way of another set: one that grows an item at a time ends with up to four times the room.
PyObject* NewSet(const Graph& graph, const Node& node, bool frozen) {
  PyObject* const items = NewList(graph, node, 0, node.edge_count);
  PyObject* const grown = items == nullptr ? nullptr : PySet_New(items);
  Py_XDECREF(items);
  if (!frozen || grown == nullptr) return grown;
  PyObject* const set = PyFrozenSet_New(grown);
  Py_DECREF(grown);
  return set;
}

PyObject* NewCopy(const Graph& graph, NodeIndex index, const Plan& plan) {
  const Node& node = graph.nodes[index];
  PyTypeObject* const type = Py_TYPE(node.source);
  switch (plan.copying) {
    case Copying::kDate:
      return CopyDate(node.source, node.edge_count == 0 ? nullptr : graph.CopyAt(node, 0));
    case Copying::kTuple:
      return NewTuple(graph, node, type, node.edge_count);
    case Copying::kFrozenSet:
      return NewSet(graph, node, true);
    case Copying::kList:
      return NewListOfNone(node.edge_count);
    case Copying::kDict:
      return PyDict_New();
    case Copying::kSet:
      return PySet_New(nullptr);
    case Copying::kInstance:
      return NewInstance(type);
    case Copying::kReduced:
      return Construct(graph, index);
    case Copying::kKept:
    case Copying::kLeaf:
      break;
  }
  PyErr_BadInternalCall();
  return nullptr;
}

}  // namespace frozen_arena
