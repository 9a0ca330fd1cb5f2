// Graph: what a walk knows of the objects that a root leads to, shared by its steps: finding what
// an object refers to (edges.h), making its copy (copies.h), filling it (fill.h).
#ifndef FROZEN_ARENA_PYTHON_PACK_GRAPH_H_
#define FROZEN_ARENA_PYTHON_PACK_GRAPH_H_

#include <unordered_map>

#include "python/pack/nodes.h"
#include "python/pack/plan.h"
#include "python/pack/reduction.h"

namespace frozen_arena {

struct Reduced {
  Reduction reduction;
  bool has_state;
  std::uint32_t items;  // edges behind arguments and state; what follows them are pairs
};

struct Graph {
  Graph(PyObject* reducers, PyObject* registered) noexcept : plans(reducers, registered) {}

  // Borrowed; nullptr while there is none. Precondition: the edge leads somewhere.
  PyObject* CopyAt(const Node& node, std::uint32_t edge) const noexcept {
    return nodes[nodes.Edge(node, edge)].copy;
  }

  Plans plans;
  Nodes nodes;
  std::unordered_map<NodeIndex, Reduced> reduced;  // by node, until its copy is complete
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_GRAPH_H_
