#include "python/pack/graph_copy.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#include "python/layout/words.h"
#include "python/pack/leaves.h"
#include "python/pack/nodes.h"
#include "python/pack/place.h"
#include "python/pack/plan.h"
#include "python/pack/reduction.h"

namespace frozen_arena {
namespace {

// Each node is entered once: its edges are found, those that the copy is made of are walked, the
// copy is made, the others are walked, and it is filled. What a cycle keeps incomplete is filled at
// the end.
class GraphCopy {
 public:
  explicit GraphCopy(const CopyOptions& options, CopyLedger* ledger)
      : dedupe_(options.dedupe), plans_(options.reducers, options.registered), ledger_(ledger) {}

  PyObject* Run(PyObject* root);

 private:
  struct Frame {
    NodeIndex node;
    std::uint32_t next;  // edge
  };

  bool Walk();
  bool Enter(NodeIndex index);
  bool EnterLeaf(Node* node);
  PyObject* Merged(Node* node, PyObject* copy);
  void ForgetParts(NodeIndex index);
  bool FindEdges(NodeIndex index, const Plan& plan);
  bool FindItems(NodeIndex index, PyObject* iterable);
  void FindAttributes(NodeIndex index, const Plan& plan);
  bool FindReduction(NodeIndex index, const Plan& plan);
  NodeIndex AddEdge(NodeIndex from, PyObject* to);

  bool Make(NodeIndex index);
  PyObject* NewCopy(const Node& node, const Plan& plan);
  PyObject* NewTuple(const Node& node, PyTypeObject* type, std::uint32_t size);
  PyObject* NewList(const Node& node, std::uint32_t begin, std::uint32_t end);
  PyObject* NewSet(const Node& node, bool frozen);
  PyObject* Construct(NodeIndex index);

  bool IsComplete(const Node& node, std::uint32_t begin, std::uint32_t end) const;
  bool Finish(NodeIndex index);
  bool Fill(NodeIndex index);
  bool FillList(const Node& node);
  bool FillPairs(const Node& node, std::uint32_t begin, bool is_dict);
  bool FillSet(const Node& node);
  bool FillInstance(const Node& node, const Plan& plan);
  bool FillReduced(NodeIndex index);

  PyObject* CopyAt(const Node& node, std::uint32_t edge) const {
    return nodes_[nodes_.Edge(node, edge)].copy;
  }
  bool Fail(NodeIndex index) {
    SayWhere(nodes_, &plans_, index);
    return false;
  }

  struct Reduced {
    Reduction reduction;
    bool has_state;
    std::uint32_t items;  // edges behind arguments and state; what follows them are pairs
  };

  bool dedupe_;
  Plans plans_;
  CopyLedger* ledger_;
  Nodes nodes_;
  EqualCopies equal_;
  ScratchVector<Frame> stack_;
  ScratchVector<NodeIndex> deferred_;
  std::vector<PyObject*> names_;  // of the instance that is being filled
  std::unordered_map<NodeIndex, Reduced> reduced_;
};

// As object.__new__ makes it, with room for the attributes that the class knows (3.11, 3.12).
PyObject* NewInstance(PyTypeObject* type) {
  PyObject* const nothing = PyTuple_New(0);
  if (nothing == nullptr) return nullptr;
  PyObject* const instance = PyBaseObject_Type.tp_new(type, nothing, nullptr);
  Py_DECREF(nothing);
  return instance;
}

// Nobody but the walk holds it: a reduction has made it to be an argument.
bool IsForThisAlone(const Node& node) noexcept {
  return CountIsOne(node.source) && node.parent != kNoNode;
}

bool IsWhole(PyObject* tuple) noexcept {
  PyObject** const items = ItemsOfTuple(tuple);
  return std::find(items, items + Py_SIZE(tuple), nullptr) == items + Py_SIZE(tuple);
}

PyObject* GraphCopy::Run(PyObject* root) {
  bool is_new = false;
  const NodeIndex first = nodes_.Add(root, kNoNode, &is_new);
  if (!Enter(first) || !Walk()) return nullptr;
  for (const NodeIndex index : deferred_) {
    if (!Fill(index)) return nullptr;
  }
  ledger_->objects = nodes_.size();
  return Py_NewRef(nodes_[first].copy);
}

bool GraphCopy::Walk() {
  constexpr std::size_t kBetweenSignals = std::size_t{1} << 16;
  for (std::size_t steps = 0; !stack_.empty(); ++steps) {
    if (steps % kBetweenSignals == 0 && PyErr_CheckSignals() != 0) return false;
    Frame& top = stack_.back();
    const NodeIndex index = top.node;
    Node& node = nodes_[index];
    if (node.copy == nullptr && top.next == node.made_of && !Make(index)) return false;
    if (top.next == nodes_[index].edge_count) {
      stack_.pop_back();
      if (!Finish(index)) return false;
      continue;
    }
    const NodeIndex child = nodes_.Edge(node, top.next++);
    if (child != kNoNode && nodes_[child].state == NodeState::kFound && !Enter(child)) return false;
  }
  return true;
}

NodeIndex GraphCopy::AddEdge(NodeIndex from, PyObject* to) {
  bool is_new = false;
  const NodeIndex index = to == nullptr ? kNoNode : nodes_.Add(to, from, &is_new);
  nodes_.AddEdge(from, index);
  return index;
}

bool GraphCopy::Enter(NodeIndex index) {
  const Plan* const plan = plans_.For(Py_TYPE(nodes_[index].source));
  if (plan == nullptr) return Fail(index);
  Node& node = nodes_[index];
  if (plan->copying == Copying::kKept) {
    node.copy = Py_NewRef(node.source);
    node.state = NodeState::kDone;
    ++ledger_->kept;
    return true;
  }
  if (plan->copying == Copying::kLeaf) return EnterLeaf(&node) || Fail(index);
  node.state = NodeState::kEntered;
  nodes_.BeginEdges(index);
  if (!FindEdges(index, *plan)) return Fail(index);
  if (nodes_[index].state != NodeState::kDone) stack_.push_back({index, 0});
  return true;
}

bool GraphCopy::EnterLeaf(Node* node) {
  node->state = NodeState::kDone;
  if (IsForThisAlone(*node)) {  // it lies where its copy would
    node->copy = Py_NewRef(node->source);
    ++ledger_->passed;
    return true;
  }
  node->copy = CopyLeaf(node->source);
  if (node->copy == nullptr) return false;
  if (node->copy == node->source) {
    ++ledger_->kept;
    return true;
  }
  node->copy = Merged(node, node->copy);
  return true;
}

// `copy`, or the equal one that was there: takes and gives a reference.
PyObject* GraphCopy::Merged(Node* node, PyObject* copy) {
  node->known = dedupe_;
  PyObject* const same = dedupe_ ? equal_.FindOrAdd(copy) : copy;
  if (same == copy) {
    ++ledger_->copied;
    return copy;
  }
  ++ledger_->merged;
  Py_DECREF(copy);
  return Py_NewRef(same);
}

// --- What an object refers to
// ------------------------------------------------------------------------------------------------

bool GraphCopy::FindEdges(NodeIndex index, const Plan& plan) {
  PyObject* const source = nodes_[index].source;
  switch (plan.copying) {
    case Copying::kKept:
    case Copying::kLeaf:
      return true;
    case Copying::kDate: {
      PyObject* const timezone = TimezoneOf(source);
      if (timezone != nullptr) AddEdge(index, timezone);
      break;
    }
    case Copying::kTuple:
      for (Py_ssize_t i = 0; i < Py_SIZE(source); ++i) AddEdge(index, ItemsOfTuple(source)[i]);
      if (!IsWhole(source)) {
        PyErr_SetString(PyExc_TypeError, "a tuple that is still being built");
        return false;
      }
      break;
    case Copying::kList:
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(source); ++i) {
        AddEdge(index, PyList_GET_ITEM(source, i));
      }
      return true;
    case Copying::kDict: {
      Py_ssize_t position = 0;
      PyObject* key = nullptr;
      PyObject* value = nullptr;
      while (PyDict_Next(source, &position, &key, &value) != 0) {
        AddEdge(index, key);
        AddEdge(index, value);
      }
      return true;
    }
    case Copying::kSet:
      return FindItems(index, source);
    case Copying::kFrozenSet:
      if (!FindItems(index, source)) return false;
      break;
    case Copying::kInstance:
      FindAttributes(index, plan);
      return true;
    case Copying::kReduced:
      return FindReduction(index, plan);
  }
  nodes_[index].made_of = nodes_[index].edge_count;
  return true;
}

bool GraphCopy::FindItems(NodeIndex index, PyObject* iterable) {
  PyObject* const items = PySequence_List(iterable);
  if (items == nullptr) return false;
  try {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); ++i) {
      AddEdge(index, PyList_GET_ITEM(items, i));
    }
  } catch (...) {
    Py_DECREF(items);
    throw;
  }
  Py_DECREF(items);
  return true;
}

// The slots in the order of the plan, then what is in the instance dict or would be. The names are
// those of the class, and not copied.
void GraphCopy::FindAttributes(NodeIndex index, const Plan& plan) {
  PyObject* const source = nodes_[index].source;
  for (const std::int32_t slot : plan.slots) AddEdge(index, PointerAt<PyObject>(source, slot));
  ForEachAttribute(source, [&](PyObject* /*name*/, PyObject* value) { AddEdge(index, value); });
}

bool GraphCopy::FindReduction(NodeIndex index, const Plan& plan) {
  Reduced reduced{};
  Reduction& reduction = reduced.reduction;
  if (!reduction.TakeApart(nodes_[index].source, plan.reducer)) return false;
  if (reduction.IsGlobal()) {
    nodes_[index].copy = Py_NewRef(nodes_[index].source);
    nodes_[index].state = NodeState::kDone;
    ++ledger_->kept;
    return true;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(reduction.arguments()); ++i) {
    AddEdge(index, PyTuple_GET_ITEM(reduction.arguments(), i));
  }
  nodes_[index].made_of = nodes_[index].edge_count;
  reduced.has_state = reduction.state() != nullptr;
  if (reduced.has_state) AddEdge(index, reduction.state());
  if (reduction.items() != nullptr && !FindItems(index, reduction.items())) return false;
  reduced.items = nodes_[index].edge_count - nodes_[index].made_of - (reduced.has_state ? 1 : 0);
  const Py_ssize_t pairs = reduction.pairs() == nullptr ? 0 : PyList_GET_SIZE(reduction.pairs());
  for (Py_ssize_t i = 0; i < pairs; ++i) {
    PyObject* const pair = PyList_GET_ITEM(reduction.pairs(), i);
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
      PyErr_SetString(PyExc_TypeError, "the fifth part of a reduction gives pairs");
      return false;
    }
    AddEdge(index, PyTuple_GET_ITEM(pair, 0));
    AddEdge(index, PyTuple_GET_ITEM(pair, 1));
  }
  reduction.Forget();
  reduced_.emplace(index, std::move(reduced));
  return true;
}

// --- Making
// ------------------------------------------------------------------------------------------------

bool GraphCopy::IsComplete(const Node& node, std::uint32_t begin, std::uint32_t end) const {
  for (std::uint32_t edge = begin; edge < end; ++edge) {
    const NodeIndex child = nodes_.Edge(node, edge);
    if (child != kNoNode && nodes_[child].copy == nullptr) return false;
  }
  return true;
}

bool GraphCopy::Make(NodeIndex index) {
  const Plan* const plan = plans_.For(Py_TYPE(nodes_[index].source));
  if (plan == nullptr) return Fail(index);
  if (!IsComplete(nodes_[index], 0, nodes_[index].made_of)) {
    PyErr_SetString(PyExc_TypeError, "it is made of something that refers back to it");
    return Fail(index);
  }
  PyObject* copy =
      plan->copying == Copying::kReduced ? Construct(index) : NewCopy(nodes_[index], *plan);
  if (copy == nullptr) return Fail(index);
  const bool immutable = plan->copying == Copying::kTuple || plan->copying == Copying::kDate;
  if (immutable && !IsForThisAlone(nodes_[index])) {
    copy = Merged(&nodes_[index], copy);
  } else {
    ++ledger_->copied;
  }
  nodes_[index].copy = copy;
  return true;
}

PyObject* GraphCopy::NewCopy(const Node& node, const Plan& plan) {
  PyTypeObject* const type = Py_TYPE(node.source);
  switch (plan.copying) {
    case Copying::kDate:
      return CopyDate(node.source, node.edge_count == 0 ? nullptr : CopyAt(node, 0));
    case Copying::kTuple:
      return NewTuple(node, type, node.edge_count);
    case Copying::kFrozenSet:
      return NewSet(node, true);
    case Copying::kList: {  // until it is filled, whoever finds it sees a list
      PyObject* const list = PyList_New(static_cast<Py_ssize_t>(node.edge_count));
      for (Py_ssize_t i = 0; list != nullptr && i < PyList_GET_SIZE(list); ++i) {
        PyList_SET_ITEM(list, i, Py_NewRef(Py_None));
      }
      return list;
    }
    case Copying::kDict:
      return PyDict_New();
    case Copying::kSet:
      return PySet_New(nullptr);
    case Copying::kInstance:
      return NewInstance(type);
    case Copying::kKept:
    case Copying::kLeaf:
    case Copying::kReduced:
      break;
  }
  PyErr_BadInternalCall();
  return nullptr;
}

PyObject* GraphCopy::NewTuple(const Node& node, PyTypeObject* type, std::uint32_t size) {
  PyObject* const tuple =
      type == &PyTuple_Type ? PyTuple_New(size) : type->tp_alloc(type, Py_ssize_t{size});
  if (tuple == nullptr) return nullptr;
  for (std::uint32_t i = 0; i < size; ++i) {
    ItemsOfTuple(tuple)[i] = Py_NewRef(CopyAt(node, i));
  }
  return tuple;
}

PyObject* GraphCopy::NewList(const Node& node, std::uint32_t begin, std::uint32_t end) {
  PyObject* const list = PyList_New(Py_ssize_t{end} - begin);
  for (std::uint32_t i = begin; list != nullptr && i < end; ++i) {
    PyList_SET_ITEM(list, Py_ssize_t{i} - begin, Py_NewRef(CopyAt(node, i)));
  }
  return list;
}

// By way of another set: one that grows an item at a time ends with up to four times the room.
PyObject* GraphCopy::NewSet(const Node& node, bool frozen) {
  PyObject* const items = NewList(node, 0, node.edge_count);
  PyObject* const grown = items == nullptr ? nullptr : PySet_New(items);
  Py_XDECREF(items);
  if (!frozen || grown == nullptr) return grown;
  PyObject* const set = PyFrozenSet_New(grown);
  Py_DECREF(grown);
  return set;
}

PyObject* GraphCopy::Construct(NodeIndex index) {
  const Node& node = nodes_[index];
  PyObject* const arguments = NewTuple(node, &PyTuple_Type, node.made_of);
  if (arguments == nullptr) return nullptr;
  PyObject* const copy = PyObject_CallObject(reduced_.at(index).reduction.callable(), arguments);
  Py_DECREF(arguments);
  return copy;
}

// --- Filling
// ------------------------------------------------------------------------------------------------

bool GraphCopy::Finish(NodeIndex index) {
  const Node& node = nodes_[index];
  if (!IsComplete(node, node.made_of, node.edge_count)) {
    deferred_.push_back(index);
    return true;
  }
  if (node.edge_count != node.made_of && !Fill(index)) return false;
  nodes_[index].state = NodeState::kDone;
  if (reduced_.erase(index) != 0) ForgetParts(index);
  return true;
}

// What a reduction has made to be told is needed no more. The room that it leaves is taken by the
// next one.
void GraphCopy::ForgetParts(NodeIndex index) {
  const Node& node = nodes_[index];
  for (std::uint32_t edge = 0; edge < node.edge_count; ++edge) {
    nodes_.ForgetIfAlone(nodes_.Edge(node, edge));
  }
}

bool GraphCopy::Fill(NodeIndex index) {
  const Node& node = nodes_[index];
  const Plan* const plan = plans_.For(Py_TYPE(node.source));
  if (plan == nullptr) return Fail(index);
  bool filled = true;
  switch (plan->copying) {
    case Copying::kList:
      filled = FillList(node);
      break;
    case Copying::kDict:
      filled = FillPairs(node, 0, true);
      break;
    case Copying::kSet:
      filled = FillSet(node);
      break;
    case Copying::kInstance:
      filled = FillInstance(node, *plan);
      break;
    case Copying::kReduced:
      filled = FillReduced(index);
      break;
    case Copying::kKept:
    case Copying::kLeaf:
    case Copying::kDate:
    case Copying::kTuple:
    case Copying::kFrozenSet:
      break;
  }
  return filled || Fail(index);
}

bool GraphCopy::FillList(const Node& node) {
  for (std::uint32_t i = 0; i < node.edge_count; ++i) {
    if (PyList_SetItem(node.copy, Py_ssize_t{i}, Py_NewRef(CopyAt(node, i))) != 0) return false;
  }
  return true;
}

bool GraphCopy::FillPairs(const Node& node, std::uint32_t begin, bool is_dict) {
  PyObject* const copy = node.copy;
  for (std::uint32_t i = begin; i < node.edge_count; i += 2) {
    PyObject* const key = CopyAt(node, i);
    PyObject* const value = CopyAt(node, i + 1);
    const int failed =
        is_dict ? PyDict_SetItem(copy, key, value) : PyObject_SetItem(copy, key, value);
    if (failed != 0) return false;
  }
  return true;
}

bool GraphCopy::FillSet(const Node& node) {
  PyObject* const items = NewSet(node, false);
  if (items == nullptr) return false;
  PyObject* const result = PyObject_CallMethod(node.copy, "update", "O", items);
  Py_DECREF(items);
  Py_XDECREF(result);
  return result != nullptr;
}

bool GraphCopy::FillInstance(const Node& node, const Plan& plan) {
  const auto slots = static_cast<std::uint32_t>(plan.slots.size());
  for (std::uint32_t i = 0; i < slots; ++i) {
    if (nodes_.Edge(node, i) == kNoNode) continue;
    PyObject* const value = Py_NewRef(CopyAt(node, i));
    std::memcpy(reinterpret_cast<char*>(node.copy) + plan.slots[i], &value, sizeof value);
  }
  names_.clear();
  ForEachAttribute(node.source, [&](PyObject* name, PyObject* value) {
    const std::size_t edge = slots + names_.size();
    const bool as_found =
        edge < node.edge_count &&
        nodes_[nodes_.Edge(node, static_cast<std::uint32_t>(edge))].source == value;
    names_.push_back(as_found ? name : nullptr);
  });
  if (names_.size() != node.edge_count - slots ||
      std::find(names_.begin(), names_.end(), nullptr) != names_.end()) {
    PyErr_SetString(PyExc_RuntimeError, "an instance was changed while it was packed");
    return false;
  }
  for (std::uint32_t i = 0; i < names_.size(); ++i) {
    if (!SetAttribute(node.copy, names_[i], CopyAt(node, slots + i))) return false;
  }
  return true;
}

// In the order in which pickle does it: items, pairs, state.
bool GraphCopy::FillReduced(NodeIndex index) {
  const Node& node = nodes_[index];
  const Reduced& reduced = reduced_.at(index);
  const std::uint32_t begin = node.made_of + (reduced.has_state ? 1 : 0);
  const std::uint32_t pairs = begin + reduced.items;
  if (reduced.items != 0) {
    PyObject* const items = NewList(node, begin, pairs);
    const bool added = items != nullptr && AddItems(node.copy, items);
    Py_XDECREF(items);
    if (!added) return false;
  }
  if (!FillPairs(node, pairs, false)) return false;
  if (reduced.has_state && !reduced.reduction.SetState(node.copy, CopyAt(node, node.made_of))) {
    return false;
  }
  return true;
}

}  // namespace

PyObject* CopyGraph(PyObject* root, const CopyOptions& options, CopyLedger* ledger) {
  *ledger = {};
  try {
    return GraphCopy(options, ledger).Run(root);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace frozen_arena
