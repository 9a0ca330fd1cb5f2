// Hooks: the functions that stand in CPython's allocator table in place of those that were there.
//
// A hook keeps the `ctx` of the function that it wraps: readers of the table take no lock, so a
// reader may see a new function with an old ctx or the reverse, and each such mix has to work.
// Called by any thread, in the RAW domain without the GIL; they never throw and never call the
// interpreter.
#ifndef FROZEN_ARENA_ALLOCATOR_HOOKS_H_
#define FROZEN_ARENA_ALLOCATOR_HOOKS_H_

#include "allocator/python_compat.h"
#include "allocator/route.h"

namespace frozen_arena {

// Puts our functions above what stands in the table now. RAW gets free and realloc only: memory of
// that domain is never placed in an arena. The caller holds the GIL and has made sure that ours are
// not in the chain yet.
void PutHooks(Domain domain) noexcept;

// Puts back what PutHooks found. Precondition: HooksAreOnTop(domain).
void TakeHooksOut(Domain domain) noexcept;

// The table names our function, so nobody has hooked above us.
bool HooksAreOnTop(Domain domain) noexcept;

// Our functions are called for this domain, be it directly or from a hook above them. Found out by
// an allocation that says so on its way: a hook that was dropped by somebody else's restore is not
// seen otherwise.
bool HooksAreInChain(Domain domain) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ALLOCATOR_HOOKS_H_
