// The one lock of this layer: held while mappings and their book-keeping change, and across fork().
//
// Order: mimalloc's locks come before it, because mimalloc may hold some when it calls
// Track::Commit, which takes this one. Whoever holds it calls neither the interpreter nor anything
// of mimalloc but the walk over blocks. fork_guard.cc holds it from before fork() to after it, so a
// child never inherits a half-made mapping.
#ifndef FROZEN_ARENA_ARENA_MAPPING_LOCK_H_
#define FROZEN_ARENA_ARENA_MAPPING_LOCK_H_

#include <mutex>

namespace frozen_arena {

std::mutex& MappingMutex() noexcept;
using MappingLock = std::lock_guard<std::mutex>;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_MAPPING_LOCK_H_
