// What differs between interpreters for this layer. The only file of allocator/ that knows
// PY_VERSION_HEX.
#ifndef FROZEN_ARENA_ALLOCATOR_PYTHON_COMPAT_H_
#define FROZEN_ARENA_ALLOCATOR_PYTHON_COMPAT_H_

#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#error "frozen arena needs CPython 3.11 or newer"
#endif

// Exported by every supported version, declared in private headers that move between them
// (3.11: Include/internal/pycore_pymem.h). The name of the memory allocator in force ("pymalloc",
// "malloc_debug", ...), or nullptr when hooks make it unlike any of them.
extern "C" PyAPI_FUNC(const char*) _PyMem_GetCurrentAllocatorName(void);

// The thread state of the calling thread, or nullptr. PyThreadState_Get would end the process.
inline PyThreadState* CurrentThreadState() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return PyThreadState_GetUnchecked();
#else
  return _PyThreadState_UncheckedGet();
#endif
}

#endif  // FROZEN_ARENA_ALLOCATOR_PYTHON_COMPAT_H_
