// mimalloc, set up for this layer. The object file that we link has only its mi_* symbols left
// global (arena/CMakeLists.txt), so it stands beside any other malloc of the process; and one more,
// for LeaveMimalloc.
#ifndef FROZEN_ARENA_ARENA_MIMALLOC_API_H_
#define FROZEN_ARENA_ARENA_MIMALLOC_API_H_

#include <mimalloc.h>

namespace frozen_arena {

// Sets mimalloc's options for lanes; idempotent, called before the first track is made.
void SetUpMimalloc() noexcept;

// Hands what this thread has in any heap over, as mimalloc does by itself when a thread ends, and
// instead of that. Without the GIL; the caller holds the lock of the walks.
void LeaveMimalloc() noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_MIMALLOC_API_H_
