// The limit of an arena is in bytes, not a number of anything.
// error: could not convert .1024|no viable conversion|could not convert
#include "arena/arena.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
ArenaOptions options{.huge_pages = HugePages::kNever, .limit = Bytes(1024)};
#else
ArenaOptions options{.huge_pages = HugePages::kNever, .limit = 1024};
#endif
