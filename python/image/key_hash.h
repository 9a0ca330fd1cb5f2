// KeyHash: whether the hash of an object is the same in every process that has the same seed.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_KEY_HASH_H_
#define FROZEN_ARENA_PYTHON_IMAGE_KEY_HASH_H_

#include <cstdint>

#include "python/layout/object_compat.h"

namespace frozen_arena {

// kContent: made of the value alone. kAddress: of where the object lies. kUnknown: of what Python
// code says, or of an address that may be the same.
enum class KeyHash : std::uint8_t { kContent, kUnknown, kAddress };

// Needs the GIL; calls no Python code.
KeyHash KindOfHash(PyObject* object);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_KEY_HASH_H_
