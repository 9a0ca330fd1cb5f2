// Routing scope: which arena, if any, takes the allocations of the calling thread.
//
// A scope is thread-local and strictly nested. Holding one routes PYMEM_DOMAIN_OBJ to the objects
// lane and PYMEM_DOMAIN_MEM to the payload lane of `arena`, provided that the hooks are in place
// (install.h).
#ifndef FROZEN_ARENA_ALLOCATOR_SCOPE_H_
#define FROZEN_ARENA_ALLOCATOR_SCOPE_H_

#include "arena/arena.h"

namespace frozen_arena {

// The arena that takes this thread's allocations now, or nullptr.
Arena* RoutedArena() noexcept;

// Routes this thread to `arena` (nullptr: to the ordinary allocator); returns what it was routed to
// before.
Arena* RouteThread(Arena* arena) noexcept;

// Routes every thread that has no arena of its own (nullptr: none); returns what was there before.
Arena* RouteAllThreads(Arena* arena) noexcept;

// If that is `arena`, no thread is routed so any more.
void StopRoutingAllThreadsTo(Arena* arena) noexcept;

// Routes this thread to `arena` until destroyed; then as it was before.
class RoutingScope {
 public:
  explicit RoutingScope(Arena* arena) noexcept : previous_(RouteThread(arena)) {}
  ~RoutingScope() { RouteThread(previous_); }
  RoutingScope(const RoutingScope&) = delete;
  RoutingScope& operator=(const RoutingScope&) = delete;

 private:
  Arena* previous_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ALLOCATOR_SCOPE_H_
