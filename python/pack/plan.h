// Plan: how the objects of a type are copied, worked out once a type.
//
// Needs the GIL. Runs Python code only through the metatypes of the types that it is asked about.
#ifndef FROZEN_ARENA_PYTHON_PACK_PLAN_H_
#define FROZEN_ARENA_PYTHON_PACK_PLAN_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "python/layout/object_compat.h"

namespace frozen_arena {

enum class Copying : std::uint8_t {
  kKept,   // not copied: None, classes, functions, modules
  kLeaf,   // int, float, complex, str, bytes
  kDate,   // the datetime family
  kTuple,  // tuples and named tuples
  kFrozenSet,
  kList,
  kDict,
  kSet,
  kInstance,  // of a class whose memory is made by object.__new__ and which pickles as usual
  kReduced,   // by what its type tells pickle
};

struct Plan {
  Copying copying;
  PyObject* reducer = nullptr;      // borrowed; for kReduced, a callable instead of __reduce_ex__
  std::vector<std::int32_t> slots;  // kInstance: where its slots lie
};

class Plans {
 public:
  // `reducers` and `registered` are dicts of types to callables, asked in this order.
  Plans(PyObject* reducers, PyObject* registered) noexcept
      : reducers_(reducers), registered_(registered) {}

  // Borrowed, good as long as this; nullptr with an exception set.
  const Plan* For(PyTypeObject* type);

 private:
  bool Make(PyTypeObject* type, Plan* plan);

  PyObject* reducers_;
  PyObject* registered_;
  PyTypeObject* last_type_ = nullptr;
  const Plan* last_plan_ = nullptr;
  std::unordered_map<PyTypeObject*, Plan> plans_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_PLAN_H_
