// Reduction: what a type tells pickle of an object (the protocol of __reduce_ex__, PEP 307), taken
// apart, and put together again around copies.
//
// Need the GIL; run Python code. What returns false or nullptr has set an exception.
#ifndef FROZEN_ARENA_PYTHON_PACK_REDUCTION_H_
#define FROZEN_ARENA_PYTHON_PACK_REDUCTION_H_

#include "python/layout/object_compat.h"

namespace frozen_arena {

// Owns what it names. A `callable` of nullptr: the object is a global name, and kept.
class Reduction {
 public:
  Reduction() = default;
  ~Reduction();
  Reduction(Reduction&& other) noexcept;
  Reduction& operator=(Reduction&&) = delete;

  // Asks `reducer`, or where it is nullptr the object itself.
  bool TakeApart(PyObject* object, PyObject* reducer);

  bool IsGlobal() const noexcept { return callable_ == nullptr; }
  PyObject* callable() const noexcept { return callable_; }
  // Borrowed, and gone after Forget(): a tuple, anything or nullptr, a list, a list of pairs.
  PyObject* arguments() const noexcept { return arguments_; }
  PyObject* state() const noexcept { return state_; }
  PyObject* items() const noexcept { return items_; }
  PyObject* pairs() const noexcept { return pairs_; }
  // From here on whoever asked holds what is needed of them.
  void Forget() noexcept;

  // `copy` as __setstate__, or what stands in for it, makes it of `state`.
  bool SetState(PyObject* copy, PyObject* state) const;

 private:
  PyObject* callable_ = nullptr;
  PyObject* setter_ = nullptr;
  PyObject* arguments_ = nullptr;
  PyObject* state_ = nullptr;
  PyObject* items_ = nullptr;
  PyObject* pairs_ = nullptr;
};

// copy.extend(items), or append() of each. `items` is a list.
bool AddItems(PyObject* copy, PyObject* items);

// copy.name = value past what the class says of the name, as an instance dict does.
bool SetAttribute(PyObject* copy, PyObject* name, PyObject* value);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_REDUCTION_H_
