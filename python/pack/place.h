// Place: where in the original an object stands, as one would write it.
#ifndef FROZEN_ARENA_PYTHON_PACK_PLACE_H_
#define FROZEN_ARENA_PYTHON_PACK_PLACE_H_

#include "python/pack/nodes.h"
#include "python/pack/plan.h"

namespace frozen_arena {

// Adds the place of `index` to the exception that is set: a TypeError becomes one that names it,
// others get a note (PEP 678). Needs the GIL; runs repr() of keys.
void SayWhere(const Nodes& nodes, Plans* plans, NodeIndex index);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_PLACE_H_
