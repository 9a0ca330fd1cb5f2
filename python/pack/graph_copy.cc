#include "python/pack/graph_copy.h"

#include <new>

#include "python/layout/words.h"
#include "python/pack/copies.h"
#include "python/pack/edges.h"
#include "python/pack/fill.h"
#include "python/pack/graph.h"
#include "python/pack/leaves.h"
#include "python/pack/place.h"

namespace frozen_arena {
namespace {

// Each node is entered once: its edges are found, those that the copy is made of are walked, the
// copy is made, the others are walked, and it is filled. What a cycle keeps incomplete is filled at
// the end.
class GraphCopy {
 public:
  GraphCopy(const CopyOptions& options, CopyLedger* ledger)
      : dedupe_(options.dedupe), ledger_(ledger), graph_(options.reducers, options.registered) {}

  PyObject* Run(PyObject* root);

 private:
  struct Frame {
    NodeIndex node;
    std::uint32_t next;  // edge
  };

  bool Walk();
  bool Enter(NodeIndex index);
  bool EnterLeaf(Node* node);
  bool Keep(Node* node);
  PyObject* Merged(Node* node, PyObject* copy);
  bool IsComplete(const Node& node, std::uint32_t begin, std::uint32_t end) const;
  bool Make(NodeIndex index);
  bool Finish(NodeIndex index);
  bool FillOne(NodeIndex index);
  void ForgetParts(NodeIndex index);
  bool Fail(NodeIndex index) {
    SayWhere(graph_.nodes, &graph_.plans, index);
    return false;
  }

  bool dedupe_;
  CopyLedger* ledger_;
  Graph graph_;
  EqualCopies equal_;
  ScratchVector<Frame> stack_;
  ScratchVector<NodeIndex> deferred_;
};

// Nobody but the walk holds it: a reduction has made it to be an argument.
bool IsForThisAlone(const Node& node) noexcept {
  return CountIsOne(node.source) && node.parent != kNoNode;
}

PyObject* GraphCopy::Run(PyObject* root) {
  bool is_new = false;
  const NodeIndex first = graph_.nodes.Add(root, kNoNode, &is_new);
  if (!Enter(first) || !Walk()) return nullptr;
  for (const NodeIndex index : deferred_) {
    if (!FillOne(index)) return nullptr;
  }
  ledger_->objects = graph_.nodes.size();
  return Py_NewRef(graph_.nodes[first].copy);
}

bool GraphCopy::Walk() {
  constexpr std::size_t kBetweenSignals = std::size_t{1} << 16;
  for (std::size_t steps = 0; !stack_.empty(); ++steps) {
    if (steps % kBetweenSignals == 0 && PyErr_CheckSignals() != 0) return false;
    Frame& top = stack_.back();
    const NodeIndex index = top.node;
    Node& node = graph_.nodes[index];
    if (node.copy == nullptr && top.next == node.made_of && !Make(index)) return false;
    if (top.next == graph_.nodes[index].edge_count) {
      stack_.pop_back();
      if (!Finish(index)) return false;
      continue;
    }
    const NodeIndex child = graph_.nodes.Edge(node, top.next++);
    if (child != kNoNode && graph_.nodes[child].state == NodeState::kFound && !Enter(child))
      return false;
  }
  return true;
}

bool GraphCopy::Enter(NodeIndex index) {
  const Plan* const plan = graph_.plans.For(Py_TYPE(graph_.nodes[index].source));
  if (plan == nullptr) return Fail(index);
  Node& node = graph_.nodes[index];
  if (plan->copying == Copying::kKept) return Keep(&node);
  if (plan->copying == Copying::kLeaf) return EnterLeaf(&node) || Fail(index);
  node.state = NodeState::kEntered;
  const Found found = FindEdges(&graph_, index, *plan);
  if (found == Found::kFailed) return Fail(index);
  if (found == Found::kGlobal) return Keep(&graph_.nodes[index]);
  stack_.push_back({index, 0});
  return true;
}

bool GraphCopy::Keep(Node* node) {
  node->copy = Py_NewRef(node->source);
  node->state = NodeState::kDone;
  ++ledger_->kept;
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

bool GraphCopy::IsComplete(const Node& node, std::uint32_t begin, std::uint32_t end) const {
  for (std::uint32_t edge = begin; edge < end; ++edge) {
    const NodeIndex child = graph_.nodes.Edge(node, edge);
    if (child != kNoNode && graph_.nodes[child].copy == nullptr) return false;
  }
  return true;
}

bool GraphCopy::Make(NodeIndex index) {
  const Plan* const plan = graph_.plans.For(Py_TYPE(graph_.nodes[index].source));
  if (plan == nullptr) return Fail(index);
  if (!IsComplete(graph_.nodes[index], 0, graph_.nodes[index].made_of)) {
    PyErr_SetString(PyExc_TypeError, "it is made of something that refers back to it");
    return Fail(index);
  }
  PyObject* copy = NewCopy(graph_, index, *plan);
  if (copy == nullptr) return Fail(index);
  const bool immutable = plan->copying == Copying::kTuple || plan->copying == Copying::kDate;
  if (immutable && !IsForThisAlone(graph_.nodes[index])) {
    copy = Merged(&graph_.nodes[index], copy);
  } else {
    ++ledger_->copied;
  }
  graph_.nodes[index].copy = copy;
  return true;
}

bool GraphCopy::Finish(NodeIndex index) {
  const Node& node = graph_.nodes[index];
  if (!IsComplete(node, node.made_of, node.edge_count)) {
    deferred_.push_back(index);
    return true;
  }
  if (node.edge_count != node.made_of && !FillOne(index)) return false;
  graph_.nodes[index].state = NodeState::kDone;
  if (graph_.reduced.erase(index) != 0) ForgetParts(index);
  return true;
}

bool GraphCopy::FillOne(NodeIndex index) {
  const Plan* const plan = graph_.plans.For(Py_TYPE(graph_.nodes[index].source));
  return (plan != nullptr && Fill(graph_, index, *plan)) || Fail(index);
}

// What a reduction has made to be told is needed no more. The room that it leaves is taken by the
// next one.
void GraphCopy::ForgetParts(NodeIndex index) {
  const Node& node = graph_.nodes[index];
  for (std::uint32_t edge = 0; edge < node.edge_count; ++edge) {
    graph_.nodes.ForgetIfAlone(graph_.nodes.Edge(node, edge));
  }
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
