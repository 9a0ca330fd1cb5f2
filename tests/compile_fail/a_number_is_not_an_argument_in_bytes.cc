// A bare number is refused where a function takes bytes.
// error: could not convert .4096|no matching function
#include "arena/units.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
Bytes Twice(Bytes size) { return size + size; }
Bytes result = Twice(Bytes(4096));
#else
Bytes Twice(Bytes size) { return size + size; }
Bytes result = Twice(4096);
#endif
