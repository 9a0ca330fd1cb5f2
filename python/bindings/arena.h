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
  pybind11::dict Freeze(pybind11::object keep_mortal, pybind11::object also_freeze,
                        bool instance_dicts, pybind11::list finalisable);
  // "" when all went well, else what the kernel refused.
  std::string Seal();
  void Abandon();
  // ((os_pages, resident, private) of objects, the same of payload), or None when /proc cannot be
  // read.
  pybind11::object CountPages() const;
  pybind11::dict Stats() const;
  pybind11::object Audit() const;

 private:
  Arena* arena_;
};

void BindArena(pybind11::module_& module);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_ARENA_H_
