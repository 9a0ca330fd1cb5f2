// The lock of mappings: held while they and their book-keeping change, and across fork().
//
// Order: mimalloc's locks come before it, because mimalloc may hold some when it calls
// Track::Commit, which takes this one, and before those the lock of walks (walk_lock.h). Whoever
// holds it calls nothing of the interpreter but what sets a flag (Budget::on_doubled), and of
// mimalloc nothing but the walk over blocks. fork_guard.cc holds it from before fork() to after it,
// so a child never inherits a half-made mapping.
#ifndef FROZEN_ARENA_ARENA_MAPPING_LOCK_H_
#define FROZEN_ARENA_ARENA_MAPPING_LOCK_H_

#include <mutex>

namespace frozen_arena {

std::mutex& MappingMutex() noexcept;  // in fork_guard.cc
using MappingLock = std::lock_guard<std::mutex>;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_MAPPING_LOCK_H_
