// A number is not added to bytes.
// error: no match for .operator\+|invalid operands
#include "arena/units.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
Bytes size = Bytes(4096) + Bytes(1);
#else
Bytes size = Bytes(4096) + 1;
#endif
