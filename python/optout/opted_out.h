// OptedOut: objects of the ordinary heap whose references are not counted, in place, and what was
// kept aside of them.
//
// Immortal, warmed and untracked as in a frozen arena, by the same policy; what lies beside them on
// their OS pages is not (README.md). CPython 3.12+. Everything here needs the GIL.
#ifndef FROZEN_ARENA_PYTHON_OPTOUT_OPTED_OUT_H_
#define FROZEN_ARENA_PYTHON_OPTOUT_OPTED_OUT_H_

#include <Python.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "python/freeze/address_bitmap.h"
#include "python/freeze/scratch.h"
#include "python/freeze/type_counts.h"

namespace frozen_arena {

struct OptOutLedger {
  // objects == opted_out + left_out: checked before it is handed out.
  std::size_t objects = 0;
  std::size_t opted_out = 0;
  std::size_t left_out = 0;
  std::size_t warmed_hashes = 0;
  std::size_t warmed_utf8 = 0;
  std::size_t untracked = 0;
  std::vector<TypeCount> types;  // most frequent first
  std::vector<TypeCount> left_out_types;
};

class OptedOut {
 public:
  // Switches counting off for the items of the tuple `roots`, and with `recursive` for all that
  // they lead to. `finalisable` is an empty Python list that receives what must be finished at exit
  // (finish.h). nullptr with an exception set when there is no memory; nothing has changed then.
  // Precondition: kHasImmortal.
  static std::unique_ptr<OptedOut> SwitchOff(PyObject* roots, bool recursive, PyObject* finalisable,
                                             OptOutLedger* ledger);

  // Right after SwitchOff, when nobody has run since: everything but what was warmed is as before.
  void Undo() noexcept;

  std::size_t size() const noexcept { return counts_.size(); }

 private:
  OptedOut() = default;
  bool Prepare(class Trace* trace, PyObject* finalisable);
  void KeepAside(PyObject* object, bool tracked) noexcept;

  // One entry an object, in the order of addresses. No entry looks like the address of an object,
  // to whoever goes through memory in search of references.
  ScratchVector<std::uint64_t> entries_;
  ScratchVector<std::uint32_t> counts_;  // as they were
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_OPTOUT_OPTED_OUT_H_
