// Copies: new objects around the copies of what they refer to.
#ifndef FROZEN_ARENA_PYTHON_PACK_COPIES_H_
#define FROZEN_ARENA_PYTHON_PACK_COPIES_H_

#include "python/pack/graph.h"

namespace frozen_arena {

// The copy of `index`: whole, or, where it is filled later, an empty one that a cycle can refer to.
// A new reference; nullptr with an exception set. Precondition: what it is made of has copies.
// Needs the GIL; runs Python code for what is reduced, and for hashes of items.
PyObject* NewCopy(const Graph& graph, NodeIndex index, const Plan& plan);

// The copies at the edges from `begin` to `end`. A new reference; nullptr with an exception set.
PyObject* NewList(const Graph& graph, const Node& node, std::uint32_t begin, std::uint32_t end);

// The copies at all edges, in a table with no more room than a set copied from a set has.
PyObject* NewSet(const Graph& graph, const Node& node, bool frozen);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_COPIES_H_
