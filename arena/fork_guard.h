// ForkGuard: everything that fork() means for arenas, in one place.
//
// An arena that is building lies in shared mappings: without help parent and child would write into
// each other's data. A pthread_atfork handler (so that forks from C count too; a raw clone() cannot
// be seen) makes them private first; what the kernel refuses then is asked for again on both sides
// of the fork, because a shared mapping that stays is a worker that writes to its parent. The
// child's arena is abandoned there; the parent goes on and seals onto a new file. vfork and
// posix_spawn run no handlers and need none: the child does not touch memory before exec.
//
// Deliberate leak: the handlers stay registered for the life of the process; pthread has no call to
// take them out.
#ifndef FROZEN_ARENA_ARENA_FORK_GUARD_H_
#define FROZEN_ARENA_ARENA_FORK_GUARD_H_

#include "arena/status.h"

namespace frozen_arena {

class Arena;

class ForkGuard {
 public:
  // Registers the handlers once, then `arena`. kNoMemory when refused. The caller holds no lock.
  static Status Watch(Arena* arena) noexcept;
  // The arena's mappings are sealed, or gone.
  static void Unwatch(Arena* arena) noexcept;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_FORK_GUARD_H_
