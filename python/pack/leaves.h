// Leaves: copies of immutable values that refer to nothing (dates: to a time zone), and finding an
// equal one that was made before.
//
// Need the GIL; call no Python code.
#ifndef FROZEN_ARENA_PYTHON_PACK_LEAVES_H_
#define FROZEN_ARENA_PYTHON_PACK_LEAVES_H_

#include <cstdint>

#include "python/freeze/scratch.h"
#include "python/layout/object_compat.h"

namespace frozen_arena {

// date, datetime, time or timedelta, exactly. False while the datetime module is not loaded.
bool IsDate(const PyTypeObject* type) noexcept;

// The time zone that a date refers to, or nullptr. Precondition: IsDate of its type.
PyObject* TimezoneOf(PyObject* date) noexcept;

// A new object of the same value, or the one that the interpreter has of it for everybody (small
// ints, single letters). nullptr with an exception set. Precondition: an exact int, float, complex,
// str or bytes.
PyObject* CopyLeaf(PyObject* leaf);

// Likewise; `timezone` takes the place of the date's own.
PyObject* CopyDate(PyObject* date, PyObject* timezone);

// The copies made so far, each of its value once. Borrows them.
class EqualCopies {
 public:
  // The copy that is the same to the bit as `copy`, of which every reference is to the same object,
  // or `copy` itself, which is remembered. Precondition: a leaf, a date or a tuple, complete.
  // May throw std::bad_alloc.
  PyObject* FindOrAdd(PyObject* copy);

 private:
  struct Entry {
    std::uint64_t hash;
    PyObject* copy;
  };
  void Grow();

  std::size_t used_ = 0;
  ScratchVector<Entry> table_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_LEAVES_H_
