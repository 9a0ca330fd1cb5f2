// Edges: what an object refers to, as far as its copy needs it.
#ifndef FROZEN_ARENA_PYTHON_PACK_EDGES_H_
#define FROZEN_ARENA_PYTHON_PACK_EDGES_H_

#include "python/pack/graph.h"

namespace frozen_arena {

enum class Found : std::uint8_t { kEdges, kGlobal, kFailed };

// Adds the edges of `index`, and says which of them its copy is made of. kGlobal: a reducer says
// that the object is known by its name. kFailed: an exception is set. Precondition: neither a leaf
// nor kept. Needs the GIL; runs Python code for what is reduced. May throw std::bad_alloc.
Found FindEdges(Graph* graph, NodeIndex index, const Plan& plan);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_EDGES_H_
