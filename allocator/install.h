// Install: which hooks are in place when, and what happens when others hook too.
//
// On the standard allocator (release pymalloc) only RAW free and realloc stay hooked once a block
// has been entered: pymalloc's own address test refuses what is not its own and passes it on to the
// RAW domain. MEM and OBJ are hooked while a block is open. On every other base allocator MEM and
// OBJ stay hooked for good. All functions need the GIL of the main interpreter.
#ifndef FROZEN_ARENA_ALLOCATOR_INSTALL_H_
#define FROZEN_ARENA_ALLOCATOR_INSTALL_H_

#include <string>

#include "arena/status.h"

namespace frozen_arena {

struct HookState {
  bool installed = false;        // RAW hooks have been put in at some time
  bool raw_in_chain = false;     // and are called now
  bool blocks_in_chain = false;  // MEM and OBJ hooks are called now
  bool permanent = false;        // MEM and OBJ stay hooked outside blocks
  std::string base;  // the allocator that was found ("pymalloc", "malloc_debug", ..., "hooked")
};

// tracemalloc, as the layer above reaches it: this layer calls no Python code.
struct TracemallocControl {
  bool (*is_tracing)();
  int (*traceback_limit)();
  void (*stop)();
  void (*start)(int limit);
};

// Makes sure that the RAW hooks are in place. Idempotent. When tracemalloc is tracing it is stopped
// and started again, because its stop (and the interpreter's shutdown) would otherwise put back a
// free that knows nothing of arenas; traces from before are lost, and *restarted says so.
void EnsureInstalled(const TracemallocControl& tracemalloc, bool* restarted);

// A block begins: MEM and OBJ are hooked until as many EndBlock calls have come.
void BeginBlock();
// A block ends. False when the hooks were dropped by somebody meanwhile, so that not every
// allocation of the block was routed.
bool EndBlock();

// Takes every hook out. kSomeoneHookedOnTop when another hook stands above one of ours (nothing has
// changed then), kWrongState while a block is open or blocks of an arena may still be freed
// (`arenas_alive`).
Status Uninstall(bool arenas_alive);

HookState DescribeHooks();

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ALLOCATOR_INSTALL_H_
