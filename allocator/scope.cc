#include "allocator/scope.h"

#include <atomic>
#include <utility>

namespace frozen_arena {
namespace {

// Initial-exec: one instruction to read, no call into the dynamic linker. The module takes 8 bytes
// of the static TLS block for it (arena/lane.cc 32, hooks.cc 4), of which glibc keeps a reserve for
// libraries that are loaded late.
[[gnu::tls_model("initial-exec")]] thread_local constinit Arena* t_arena = nullptr;
constinit std::atomic<Arena*> all_threads{nullptr};

}  // namespace

Arena* RoutedArena() noexcept {
  Arena* const mine = t_arena;
  return mine != nullptr ? mine : all_threads.load(std::memory_order_relaxed);
}

Arena* RouteThread(Arena* arena) noexcept { return std::exchange(t_arena, arena); }

Arena* RouteAllThreads(Arena* arena) noexcept {
  return all_threads.exchange(arena, std::memory_order_relaxed);
}

void StopRoutingAllThreadsTo(Arena* arena) noexcept {
  all_threads.compare_exchange_strong(arena, nullptr, std::memory_order_relaxed);
}

}  // namespace frozen_arena
