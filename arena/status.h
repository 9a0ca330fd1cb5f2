// What went wrong, as a value. The layers below python/ report by code; exceptions are made at the
// edge (python/bindings/errors.cc), from the one table in status.cc.
#ifndef FROZEN_ARENA_ARENA_STATUS_H_
#define FROZEN_ARENA_ARENA_STATUS_H_

#include <cstdint>

namespace frozen_arena {

enum class Status : std::uint8_t {
  kOk,
  kNoMemory,            // the kernel refused memory or address space
  kWrongState,          // the operation is not legal in the arena's present state
  kSomeoneHookedOnTop,  // another allocator hook was installed above ours
  kUnsupported,         // the machine or the interpreter lacks what is needed
};

// A sentence for the code that names the next step. Static storage; never allocates.
const char* Describe(Status status) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_STATUS_H_
