// States are named; none is written as a number.
// error: cannot convert .int. to|cannot initialize
#include "arena/arena.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
ArenaState state = ArenaState::kSealed;
#else
ArenaState state = 2;
#endif
