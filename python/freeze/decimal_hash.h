// The hash of a Decimal, as the language reference defines it for all numbers, computed without the
// general arithmetic of the decimal module: that takes 5 microseconds a value, which a million
// prices would make the longest step of a freeze.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_DECIMAL_HASH_H_
#define FROZEN_ARENA_PYTHON_FREEZE_DECIMAL_HASH_H_

#include "python/layout/object_compat.h"

namespace frozen_arena {

// The hash of `decimal`, an instance of decimal.Decimal that is finite. -1 for an infinity or a
// NaN.
Py_hash_t HashOfDecimal(const PyObject* decimal) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_DECIMAL_HASH_H_
