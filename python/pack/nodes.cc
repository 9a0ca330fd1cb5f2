#include "python/pack/nodes.h"

#include <new>

#include "python/layout/words.h"

namespace frozen_arena {
namespace {

// Objects lie on multiples of 16 bytes.
std::size_t HashOf(const PyObject* source) noexcept {
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(source) >> 4) * kGolden >> 20);
}

}  // namespace

Nodes::~Nodes() {
  for (Node& node : nodes_) {
    Py_XDECREF(node.copy);
    Py_XDECREF(node.source);
  }
}

std::size_t Nodes::PlaceOf(const PyObject* source) const noexcept {
  const std::size_t mask = table_.size() - 1;
  std::size_t place = HashOf(source) & mask;
  while (table_[place] != kNoNode && nodes_[table_[place]].source != source) {
    place = (place + 1) & mask;
  }
  return place;
}

NodeIndex Nodes::Add(PyObject* source, NodeIndex parent, bool* is_new) {
  if (nodes_.size() * 2 >= table_.size()) GrowTable();
  const std::size_t place = PlaceOf(source);
  *is_new = table_[place] == kNoNode;
  if (!*is_new) return table_[place];
  if (nodes_.size() >= kNoNode) throw std::bad_alloc();
  const auto index = static_cast<NodeIndex>(nodes_.size());
  nodes_.push_back({source, nullptr, 0, 0, parent, 0, NodeState::kFound, false});
  Py_INCREF(source);
  table_[place] = index;
  return index;
}

void Nodes::AddEdge(NodeIndex from, NodeIndex to) {
  if (nodes_[from].edge_count == ~std::uint32_t{0}) throw std::bad_alloc();
  edges_.push_back(to);
  ++nodes_[from].edge_count;
}

void Nodes::ForgetIfAlone(NodeIndex index) {
  to_forget_.push_back(index);
  while (!to_forget_.empty()) {
    const NodeIndex next = to_forget_.back();
    to_forget_.pop_back();
    if (next == kNoNode) continue;
    Node& node = nodes_[next];
    if (node.source == nullptr || node.state != NodeState::kDone || node.known) continue;
    const bool passed_on = node.copy == node.source;
    if (passed_on) Py_CLEAR(node.copy);
    if (!CountIsOne(node.source)) {
      if (passed_on) node.copy = Py_NewRef(node.source);
      continue;
    }
    Py_CLEAR(node.copy);
    Py_CLEAR(node.source);
    for (std::uint32_t edge = 0; edge < node.edge_count; ++edge) {
      to_forget_.push_back(edges_[node.first_edge + edge]);
    }
  }
}

void Nodes::GrowTable() {
  constexpr std::size_t kSmallest = 1024;
  const std::size_t size = table_.empty() ? kSmallest : table_.size() * 2;
  ScratchVector<NodeIndex>(size, kNoNode).swap(table_);
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    table_[PlaceOf(nodes_[index].source)] = index;
  }
}

}  // namespace frozen_arena
