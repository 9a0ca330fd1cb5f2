// Warmer: fills in, before the seal, what reading would write later: cached hashes, UTF-8 forms,
// instance dicts. And takes from short lists the room that an append would write to.
//
// No code of users runs: a hash is computed only by C code that is known, on values whose hash is.
// What is cached is allocated in the arena, if there is one, so no page of a reader changes; what
// is only needed meanwhile is not.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_WARM_H_
#define FROZEN_ARENA_PYTHON_FREEZE_WARM_H_

#include <utility>
#include <vector>

#include "arena/arena.h"
#include "python/freeze/address_bitmap.h"
#include "python/freeze/freeze.h"
#include "python/freeze/half_built.h"
#include "python/freeze/policy.h"

namespace frozen_arena {

class Warmer {
 public:
  // What is cached goes to `arena`, or, where that is nullptr, to the ordinary heap. `unsafe`
  // covers the objects that will be warmed, and is empty. May throw std::bad_alloc.
  Warmer(Arena* arena, AddressBitmap unsafe, Policy* policy, const HalfBuilt* half_built,
         FreezeLedger* ledger)
      : arena_(arena),
        policy_(policy),
        half_built_(half_built),
        ledger_(ledger),
        unsafe_(std::move(unsafe)) {}

  // Precondition: info.warm != Warm::kNothing, and `object` is complete. May throw std::bad_alloc.
  void WarmObject(PyObject* object, const TypeInfo& info);

  // Makes the instance dict and returns it, or nullptr when there is none to make. Borrowed.
  PyObject* MakeInstanceDict(PyObject* object);

 private:
  struct TupleFrame {
    PyObject* tuple;
    Py_ssize_t next;
  };
  void WarmHash(PyObject* object, const TypeInfo& info);
  void WarmDecimal(PyObject* decimal, const TypeInfo& info);
  bool IsHashableWeakref(PyObject* reference);
  void PrimeUtf8();
  void WarmUtf8(PyObject* str);
  void WarmTuple(PyObject* tuple, const TypeInfo& info);
  bool IsFlat(PyObject* tuple);
  bool Enter(PyObject* tuple);
  bool FinishTop(const TypeInfo& info);
  bool Refuse();

  Arena* arena_;
  Policy* policy_;
  const HalfBuilt* half_built_;
  FreezeLedger* ledger_;
  int decimals_checked_ = 0;
  bool utf8_primed_ = false;
  AddressBitmap unsafe_;  // tuples whose hash cannot be computed here, or is being computed
  std::vector<TupleFrame>
      stack_;  // of tuples inside tuples: their depth is the data's, not the C stack's
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_WARM_H_
