#include "arena/status.h"

namespace frozen_arena {

const char* Describe(Status status) noexcept {
  switch (status) {
    case Status::kOk:
      return "done";
    case Status::kNoMemory:
      return "the kernel refused memory or address space; look at RLIMIT_AS, the memory cgroup and "
             "vm.max_map_count";
    case Status::kWrongState:
      return "the arena is not in the state that this needs; look at Arena.state";
    case Status::kSomeoneHookedOnTop:
      return "another allocator hook was installed above ours and has to be removed first "
             "(tracemalloc, "
             "memray, a debug hook)";
    case Status::kUnsupported:
      return "this needs something that the machine or the interpreter lacks; `frozen-arena "
             "doctor` says what";
  }
  return "unknown status";
}

}  // namespace frozen_arena
