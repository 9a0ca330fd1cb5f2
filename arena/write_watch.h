// WriteWatch: the next writes of this process to sealed memory, each OS page's first one.
//
// While a watch is on, the sealed memory of some arenas is read-only. A write faults; the handler
// of SIGSEGV hands the address to a recorder, makes that OS page writable again, and the
// instruction runs once more. Every other fault goes to whoever handled SIGSEGV before, as do all
// when no watch is on. The handler runs on the alternate stack of the thread where it has one.
//
// A child of fork() has no watch, and its memory is writable. A thread that blocks SIGSEGV must not
// write to watched memory: the kernel ends the process. System calls that would write there fail
// with EFAULT instead of faulting.
#ifndef FROZEN_ARENA_ARENA_WRITE_WATCH_H_
#define FROZEN_ARENA_ARENA_WRITE_WATCH_H_

#include <cstdint>
#include <vector>

#include "arena/status.h"

namespace frozen_arena {

class Arena;

class WriteWatch {
 public:
  // Called in the signal handler, by any thread, with or without the GIL: what was written to, and
  // the address of the instruction (0 where it is not known). May neither allocate nor lock. False
  // ends the watching: everything becomes writable.
  using Recorder = bool (*)(std::uintptr_t address, std::uintptr_t instruction);

  // Starts watching. kWrongState when a watch is on already or an arena is not sealed. What the
  // kernel does not protect is not watched. Needs the GIL; so does End.
  static Status Begin(const std::vector<Arena*>& arenas, Recorder recorder) noexcept;
  // Everything is writable again; returns when no handler is running any more.
  static void End() noexcept;
  static bool IsOn() noexcept;

  // For recorders: calls read(context), which may meet memory that is not there; then it is left in
  // the middle (its frames must need no destructor), and the answer is false.
  static bool ReadGuarded(void (*read)(void* context), void* context) noexcept;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_WRITE_WATCH_H_
