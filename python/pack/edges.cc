#include "python/pack/edges.h"

#include <algorithm>
#include <utility>

#include "python/layout/words.h"
#include "python/pack/leaves.h"

namespace frozen_arena {
namespace {

void AddEdge(Graph* graph, NodeIndex from, PyObject* to) {
  bool is_new = false;
  const NodeIndex index = to == nullptr ? kNoNode : graph->nodes.Add(to, from, &is_new);
  graph->nodes.AddEdge(from, index);
}

bool IsWhole(PyObject* tuple) noexcept {
  PyObject** const items = ItemsOfTuple(tuple);
  return std::find(items, items + Py_SIZE(tuple), nullptr) == items + Py_SIZE(tuple);
}

bool FindItems(Graph* graph, NodeIndex index, PyObject* iterable) {
  PyObject* const items = PySequence_List(iterable);
  if (items == nullptr) return false;
  try {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
      AddEdge(graph, index, PyList_GET_ITEM(items, i));
    }
  } catch (...) {
    Py_DECREF(items);
    throw;
  }
  Py_DECREF(items);
  return true;
}

bool FindTuple(Graph* graph, NodeIndex index, PyObject* tuple) {
  if (!IsWhole(tuple)) {
    PyErr_SetString(PyExc_TypeError, "a tuple that is still being built");
    return false;
  }
  for (Py_ssize_t i = 0; i < Py_SIZE(tuple); ++i) AddEdge(graph, index, ItemsOfTuple(tuple)[i]);
  return true;
}

void FindPairs(Graph* graph, NodeIndex index, PyObject* dict) {
  Py_ssize_t position = 0;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  while (PyDict_Next(dict, &position, &key, &value) != 0) {
    AddEdge(graph, index, key);
    AddEdge(graph, index, value);
  }
}

// The slots in the order of the plan, then what is in the instance dict or would be. The names are
// those of the class, and not copied.
void FindAttributes(Graph* graph, NodeIndex index, PyObject* instance, const Plan& plan) {
  for (const std::int32_t slot : plan.slots) {
    AddEdge(graph, index, PointerAt<PyObject>(instance, slot));
  }
  ForEachAttribute(instance,
                   [&](PyObject* /*name*/, PyObject* value) { AddEdge(graph, index, value); });
}

bool FindReducedPairs(Graph* graph, NodeIndex index, PyObject* pairs) {
  for (Py_ssize_t i = 0; pairs != nullptr && i < PyList_GET_SIZE(pairs); ++i) {
    PyObject* const pair = PyList_GET_ITEM(pairs, i);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
      PyErr_SetString(PyExc_TypeError, "the fifth part of a reduction gives pairs");
      return false;
    }
    AddEdge(graph, index, PyTuple_GET_ITEM(pair, 0));
    AddEdge(graph, index, PyTuple_GET_ITEM(pair, 1));
  }
  return true;
}

Found FindReduction(Graph* graph, NodeIndex index, const Plan& plan) {
  Reduced reduced{};
  Reduction& reduction = reduced.reduction;
  if (!reduction.TakeApart(graph->nodes[index].source, plan.reducer)) return Found::kFailed;
  if (reduction.IsGlobal()) return Found::kGlobal;
  if (!FindTuple(graph, index, reduction.arguments())) return Found::kFailed;
  graph->nodes[index].made_of = graph->nodes[index].edge_count;
  reduced.has_state = reduction.state() != nullptr;
  if (reduced.has_state) AddEdge(graph, index, reduction.state());
  const std::uint32_t before = graph->nodes[index].edge_count;
  if (reduction.items() != nullptr && !FindItems(graph, index, reduction.items())) {
    return Found::kFailed;
  }
  reduced.items = graph->nodes[index].edge_count - before;
  if (!FindReducedPairs(graph, index, reduction.pairs())) return Found::kFailed;
  reduction.Forget();
  graph->reduced.emplace(index, std::move(reduced));
  return Found::kEdges;
}

Found FoundIf(bool found) noexcept { return found ? Found::kEdges : Found::kFailed; }

// What a copy is made of, and not filled with later.
Found FindParts(Graph* graph, NodeIndex index, const Plan& plan) {
  PyObject* const source = graph->nodes[index].source;
  bool found = true;
  if (plan.copying == Copying::kTuple) {
    found = FindTuple(graph, index, source);
  } else if (plan.copying == Copying::kFrozenSet) {
    found = FindItems(graph, index, source);
  } else if (TimezoneOf(source) != nullptr) {
    AddEdge(graph, index, TimezoneOf(source));
  }
  graph->nodes[index].made_of = graph->nodes[index].edge_count;
  return FoundIf(found);
}

}  // namespace

Found FindEdges(Graph* graph, NodeIndex index, const Plan& plan) {
  PyObject* const source = graph->nodes[index].source;
  graph->nodes.BeginEdges(index);
  switch (plan.copying) {
    case Copying::kKept:
    case Copying::kLeaf:
      break;
    case Copying::kDate:
    case Copying::kTuple:
    case Copying::kFrozenSet:
      return FindParts(graph, index, plan);
    case Copying::kList:
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(source); ++i) {
        AddEdge(graph, index, PyList_GET_ITEM(source, i));
      }
      break;
    case Copying::kDict:
      FindPairs(graph, index, source);
      break;
    case Copying::kSet:
      return FoundIf(FindItems(graph, index, source));
    case Copying::kInstance:
      FindAttributes(graph, index, source, plan);
      break;
    case Copying::kReduced:
      return FindReduction(graph, index, plan);
  }
  return Found::kEdges;
}

}  // namespace frozen_arena
