// The Python side of one arena: owns the handle, turns codes into values.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_ARENA_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_ARENA_H_

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>

#include "arena/arena.h"

namespace frozen_arena {

// `_core.Arena`. All methods need the GIL.
class ArenaHandle {
 public:
  // Raises MemoryError when there is no memory for the book-keeping.
  ArenaHandle(std::size_t limit, bool huge_pages);
  ~ArenaHandle();
  ArenaHandle(const ArenaHandle&) = delete;
  ArenaHandle& operator=(const ArenaHandle&) = delete;

  Arena& arena() const noexcept { return *arena_; }

  std::string State() const;
  bool Contains(pybind11::handle object) const;
  // Freezes and seals in one go: what comes between, Ctrl-C for one, would leave objects that are
  // immortal in an arena that is not sealed. Gives the ledger, what the kernel refused ("" when all
  // went well), and the seconds of the freeze and of the seal. Raises MemoryError, or what a
  // predicate raises; nothing is frozen then.
  pybind11::tuple FreezeAndSeal(pybind11::object keep_mortal, pybind11::object also_freeze,
                                bool instance_dicts, pybind11::list finalisable);
  // A block begins: hooks, and unless told otherwise automatic collection rests. Returns whether
  // tracemalloc had to be started anew.
  bool BeginBlock(bool pause_collector);
  // The block ends, whatever has happened: nothing is routed to the arena, which is abandoned
  // unless it is sealed. False when somebody has dropped our hooks meanwhile. Once more, or without
  // BeginBlock, it does nothing.
  bool EndBlock();
  // ((os_pages, resident, private) of objects, the same of payload), or None when /proc cannot be
  // read.
  pybind11::object CountPages() const;
  // Gives back copies that are equal to the sealed content again: of OS pages of one lane (0
  // objects, 1 payload) from number `first` on, at most `visit` of them, of which at most `compare`
  // are compared. `map_anew`: what then has no copies any more costs fork() nothing any more.
  // (Bytes given back, the number with which to go on or 0), or None when /proc cannot be read.
  // Holds the GIL throughout.
  pybind11::object Reshare(int lane, std::size_t first, std::size_t visit, std::size_t compare,
                           bool map_anew);
  // Bytes in live blocks, by a walk over all of them. Before the seal only.
  std::size_t LiveBytes();
  pybind11::dict Stats() const;
  pybind11::object Audit() const;
  std::uintptr_t DirectoryEntryAddress() const { return arena_->DirectoryEntryAddress(); }

 private:
  Arena* arena_;
  bool open_ = false;
  bool pausing_ = false;
};

void BindArena(pybind11::module_& module);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_ARENA_H_
