// Bytes do not turn into a number without saying so.
// error: cannot convert .*Bytes|no viable conversion
#include "arena/units.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
std::size_t number = Bytes(4096).value;
#else
std::size_t number = Bytes(4096);
#endif
