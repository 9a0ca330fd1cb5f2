// An arena owns mappings: there is one of it.
// error: use of deleted function|call to deleted constructor
#include "arena/arena.h"

using namespace frozen_arena;

#ifdef FZA_CONTROL
void Take(Arena& arena) {
  Arena& same = arena;
  static_cast<void>(same);
}
#else
void Take(Arena& arena) {
  Arena copy = arena;
  static_cast<void>(copy);
}
#endif
