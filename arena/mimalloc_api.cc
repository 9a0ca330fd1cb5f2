#include "arena/mimalloc_api.h"

#include <pthread.h>

extern "C" pthread_key_t _mi_heap_default_key;  // NOLINT: mimalloc's (src/prim/unix/prim.c)

namespace frozen_arena {
namespace {

// Refusals are counted by the lane and said in the report; nothing is printed and nothing ends the
// process.
void IgnoreError(int /*error*/, void* /*argument*/) {}

}  // namespace

void SetUpMimalloc() noexcept {
  static const bool done = [] {
    mi_register_error(&IgnoreError, nullptr);
    mi_option_set(mi_option_show_errors, 0);
    mi_option_set(mi_option_max_errors, 0);
    mi_option_set(mi_option_max_warnings, 0);
    // Should the common track be full or refused, mimalloc maps an arena of its own: the smallest
    // that it takes (MI_ARENA_MIN_SIZE) instead of 1 GiB. In KiB.
    mi_option_set(mi_option_arena_reserve, 32L * 1024);
    // Whole mimalloc pages are committed at once: a commit is a mapping of ours, memory comes when
    // touched.
    mi_option_set(mi_option_page_commit_on_demand, 0);
    // Freed slices come back through the commit callback at once, before mimalloc can hand them to
    // the next heap of the track; our side of that is a few bits.
    mi_option_set(mi_option_purge_delay, 0);
    return true;
  }();
  static_cast<void>(done);
}

void LeaveMimalloc() noexcept {
  // Under this key mimalloc keeps the thread's main theap for its own destructor, which looks into
  // it: by then it may be the one of a thread that has begun meanwhile.
  if (_mi_heap_default_key != static_cast<pthread_key_t>(-1))
    pthread_setspecific(_mi_heap_default_key, nullptr);
  mi_thread_done();
}

}  // namespace frozen_arena
