// Fill: puts into a copy what it was made without.
#ifndef FROZEN_ARENA_PYTHON_PACK_FILL_H_
#define FROZEN_ARENA_PYTHON_PACK_FILL_H_

#include "python/pack/graph.h"

namespace frozen_arena {

// False: an exception is set. Precondition: what it refers to has copies. Needs the GIL; runs
// Python code: hashes of keys, __setstate__ and the like. May throw std::bad_alloc.
bool Fill(const Graph& graph, NodeIndex index, const Plan& plan);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_FILL_H_
