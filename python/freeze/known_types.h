// Known types: C types by the name their module gave them, and what they are to the freeze.
//
// A list of names, because a C type says nothing about what its memory holds. A name that is
// missing costs shared pages (its objects stay mortal and the report names them), a name too many
// could lose an end that should be seen.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_KNOWN_TYPES_H_
#define FROZEN_ARENA_PYTHON_FREEZE_KNOWN_TYPES_H_

#include "python/freeze/type_info.h"

namespace frozen_arena {

// Memory and references only: freeing an instance has no effect that can be seen outside. Looks at
// ancestors too where a whole family is known (NumPy scalars, exceptions).
bool IsPlainData(PyTypeObject* c_type);

// Types whose instances must not be immortal whatever the caller says: their end runs code of
// others, or the interpreter keeps its books by their counts.
Reason AlwaysMortal(PyTypeObject* c_type) noexcept;

// Files, sockets, locks, threads: mortal unless the caller names them. `type` may be a Python
// class.
Reason UsuallyMortal(PyTypeObject* type, PyTypeObject* c_type) noexcept;

// Types whose instances are targets of weak references of caches; the callback only tidies the
// cache up.
bool IsCachedWeakly(PyTypeObject* c_type) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_KNOWN_TYPES_H_
