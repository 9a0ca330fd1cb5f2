#include "python/pack/fill.h"

#include <cstring>
#include <vector>

#include "python/layout/words.h"
#include "python/pack/copies.h"

namespace frozen_arena {
namespace {

bool FillList(const Graph& graph, const Node& node) {
  for (std::uint32_t i = 0; i < node.edge_count; ++i) {
    if (PyList_SetItem(node.copy, Py_ssize_t{i}, Py_NewRef(graph.CopyAt(node, i))) != 0)
      return false;
  }
  return true;
}

bool FillPairs(const Graph& graph, const Node& node, std::uint32_t begin, bool is_dict) {
  PyObject* const copy = node.copy;
  for (std::uint32_t i = begin; i < node.edge_count; i += 2) {
    PyObject* const key = graph.CopyAt(node, i);
    PyObject* const value = graph.CopyAt(node, i + 1);
    const int failed =
        is_dict ? PyDict_SetItem(copy, key, value) : PyObject_SetItem(copy, key, value);
    if (failed != 0) return false;
  }
  return true;
}

bool FillSet(const Graph& graph, const Node& node) {
  PyObject* const items = NewSet(graph, node, false);
  if (items == nullptr) return false;
  PyObject* const result = PyObject_CallMethod(node.copy, "update", "O", items);
  Py_DECREF(items);
  Py_XDECREF(result);
  return result != nullptr;
}

// The names of the attributes behind the slots, each held; fewer where the instance is not as it
// was found.
std::vector<PyObject*> NamesOf(const Graph& graph, const Node& node, std::uint32_t slots) {
  std::vector<PyObject*> names;
  names.reserve(node.edge_count);
  bool as_found = true;
  ForEachAttribute(node.source, [&](PyObject* name, PyObject* value) {
    const auto edge = slots + static_cast<std::uint32_t>(names.size());
    as_found = as_found && edge < node.edge_count &&
               graph.nodes[graph.nodes.Edge(node, edge)].source == value;
    if (as_found) names.push_back(Py_NewRef(name));
  });
  return names;
}

void FillSlots(const Graph& graph, const Node& node, const Plan& plan) {
  for (std::uint32_t i = 0; i < plan.slots.size(); ++i) {
    if (graph.nodes.Edge(node, i) == kNoNode) continue;
    PyObject* const value = Py_NewRef(graph.CopyAt(node, i));
    std::memcpy(reinterpret_cast<char*>(node.copy) + plan.slots[i], &value, sizeof value);
  }
}

bool FillInstance(const Graph& graph, const Node& node, const Plan& plan) {
  FillSlots(graph, node, plan);
  const auto slots = static_cast<std::uint32_t>(plan.slots.size());
  const std::vector<PyObject*> names = NamesOf(graph, node, slots);
  bool filled = names.size() == node.edge_count - slots;
  if (!filled) {
    PyErr_SetString(PyExc_RuntimeError, "an instance was changed while it was packed");
  }
  for (std::uint32_t i = 0; filled && i < names.size(); ++i) {
    filled = SetAttribute(node.copy, names[i], graph.CopyAt(node, slots + i));
  }
  for (PyObject* const name : names) Py_DECREF(name);
  return filled;
}

// In the order in which pickle does it: items, pairs, state.
bool FillReduced(const Graph& graph, NodeIndex index) {
  const Node& node = graph.nodes[index];
  const Reduced& reduced = graph.reduced.at(index);
  const std::uint32_t begin = node.made_of + (reduced.has_state ? 1 : 0);
  const std::uint32_t pairs = begin + reduced.items;
  if (reduced.items != 0) {
    PyObject* const items = NewList(graph, node, begin, pairs);
    const bool added = items != nullptr && AddItems(node.copy, items);
    Py_XDECREF(items);
    if (!added) return false;
  }
  if (!FillPairs(graph, node, pairs, false)) return false;
  if (reduced.has_state &&
      !reduced.reduction.SetState(node.copy, graph.CopyAt(node, node.made_of))) {
    return false;
  }
  return true;
}

}  // namespace

bool Fill(const Graph& graph, NodeIndex index, const Plan& plan) {
  const Node& node = graph.nodes[index];
  switch (plan.copying) {
    case Copying::kList:
      return FillList(graph, node);
    case Copying::kDict:
      return FillPairs(graph, node, 0, true);
    case Copying::kSet:
      return FillSet(graph, node);
    case Copying::kInstance:
      return FillInstance(graph, node, plan);
    case Copying::kReduced:
      return FillReduced(graph, index);
    case Copying::kKept:
    case Copying::kLeaf:
    case Copying::kDate:
    case Copying::kTuple:
    case Copying::kFrozenSet:
      break;
  }
  return true;
}

}  // namespace frozen_arena
