// The lock of the walks: held while somebody walks over the blocks of mimalloc's heaps, seals or
// destroys one, and while a thread that ends hands its part of them back.
//
// mimalloc walks over the mimalloc pages of all threads as if it were alone, but a thread that ends
// comes to its own ones without the GIL, long after Thread.join() where that waits for the
// interpreter only. So each thread that has built something takes this lock when it ends (lane.cc).
//
// Order: before mimalloc's own locks and before the mapping lock. fork_guard.cc holds it across
// fork(), so that no child inherits a lock of mimalloc that an ending thread held.
#ifndef FROZEN_ARENA_ARENA_WALK_LOCK_H_
#define FROZEN_ARENA_ARENA_WALK_LOCK_H_

#include <mutex>

namespace frozen_arena {

std::mutex& WalkMutex() noexcept;  // in fork_guard.cc
using WalkLock = std::lock_guard<std::mutex>;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_WALK_LOCK_H_
