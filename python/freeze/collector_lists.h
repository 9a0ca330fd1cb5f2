// CollectorLists: the lists in which the collector keeps what it tracks, one a generation, and a
// way to let it find there, for a moment, only what it shall look at.
//
// Their heads lie in structures that differ between patch releases. They are found by the objects:
// whoever is first or last of a list is linked to its head. Permanent objects (gc.freeze) are left
// alone.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_LISTS_H_
#define FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_LISTS_H_

#include <cstddef>
#include <vector>

#include "python/freeze/scratch.h"
#include "python/layout/object_compat.h"

namespace frozen_arena {

class CollectorLists {
 public:
  struct List {
    std::size_t begin;  // in objects()
    std::size_t end;
    GcHead* head;
    GcHead aside;
  };

  // Reads them; once. Runs no code. False when there is no memory, the links are not those of
  // lists, or the interpreter has the incremental collector (3.14.0 to 3.14.4), whose lists say
  // more than their order. Needs the GIL, and collection disabled.
  bool Read() noexcept;

  // Every tracked object, and the lists, youngest first, each in its order. As long as nobody makes
  // or frees objects.
  const ScratchVector<PyObject*>& objects() const noexcept { return objects_; }
  const std::vector<List>& lists() const noexcept { return lists_; }

  // Right after Read: moves all objects but `rest` to lists of our own, where a collection does not
  // find them but untracking works as ever. PutBack must follow.
  void SetAsideAllBut(const std::vector<PyObject*>& rest) noexcept;
  // Puts everything into the oldest generation, as a full collection does with what survives.
  void PutBack() noexcept;

 private:
  bool Enter(PyObject* object) noexcept;
  bool IsGeneration(const GcHead* head) const noexcept;
  bool CloseLists() noexcept;
  GcHead* OldestHead() const noexcept;
  bool Drop(const PyObject* newest) noexcept;

  ScratchVector<PyObject*> objects_;
  std::vector<List> lists_;
  bool had_memory_ = true;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_LISTS_H_
