#include "allocator/install.h"

#include <cstring>

#include "allocator/hooks.h"
#include "allocator/python_compat.h"

namespace frozen_arena {
namespace {

// Guarded by the GIL.
struct State {
  bool installed = false;
  bool permanent = false;
  std::string base;
  int open_blocks = 0;
};
State& TheState() {
  static State state;
  return state;
}

void HookMemAndObj() {
  for (const Domain domain : {Domain::kMem, Domain::kObj}) {
    if (!HooksAreInChain(domain)) PutHooks(domain);
  }
}

void LearnBase() {
  State& state = TheState();
  const char* const name = _PyMem_GetCurrentAllocatorName();
  state.base = name == nullptr ? "hooked" : name;
  // Whatever is not plain pymalloc may look into a block before it hands it on, and ours have no
  // headers.
  state.permanent = std::strcmp(state.base.c_str(), "pymalloc") != 0;
}

}  // namespace

void EnsureInstalled(const TracemallocControl& tracemalloc, bool* restarted) {
  State& state = TheState();
  *restarted = false;
  if (state.installed && HooksAreInChain(Domain::kRaw)) return;
  const bool tracing = tracemalloc.is_tracing();
  const int limit = tracing ? tracemalloc.traceback_limit() : 0;
  if (tracing) tracemalloc.stop();
  if (!state.installed) LearnBase();
  if (!HooksAreInChain(Domain::kRaw)) PutHooks(Domain::kRaw);
  state.installed = true;
  if (state.permanent) HookMemAndObj();
  if (tracing) tracemalloc.start(limit);
  *restarted = tracing;
}

void BeginBlock() {
  ++TheState().open_blocks;
  HookMemAndObj();
}

bool EndBlock() {
  State& state = TheState();
  --state.open_blocks;
  bool whole = true;
  for (const Domain domain : {Domain::kMem, Domain::kObj}) whole = HooksAreInChain(domain) && whole;
  if (state.open_blocks > 0 || state.permanent) return whole;
  for (const Domain domain : {Domain::kMem, Domain::kObj}) {
    // Under somebody else's hook ours stay, and do nothing: with no block open nothing is routed.
    if (HooksAreOnTop(domain)) TakeHooksOut(domain);
  }
  return whole;
}

Status Uninstall(bool arenas_alive) {
  State& state = TheState();
  if (!state.installed) return Status::kOk;
  if (state.open_blocks > 0 || arenas_alive) return Status::kWrongState;
  constexpr Domain kAll[] = {Domain::kMem, Domain::kObj, Domain::kRaw};
  for (const Domain domain : kAll) {
    if (!HooksAreOnTop(domain) && HooksAreInChain(domain)) return Status::kSomeoneHookedOnTop;
  }
  for (const Domain domain : kAll) {
    if (HooksAreOnTop(domain)) TakeHooksOut(domain);
  }
  state.installed = false;
  return Status::kOk;
}

HookState DescribeHooks() {
  const State& state = TheState();
  HookState hooks;
  hooks.installed = state.installed;
  hooks.permanent = state.permanent;
  hooks.base = state.base;
  hooks.raw_in_chain = state.installed && HooksAreInChain(Domain::kRaw);
  hooks.blocks_in_chain = HooksAreInChain(Domain::kMem) && HooksAreInChain(Domain::kObj);
  return hooks;
}

}  // namespace frozen_arena
