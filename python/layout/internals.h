// What only CPython's internal headers tell: the frames of running code, and the collector's lists.
// internals.cc is the one file that includes them (with Py_BUILD_CORE), and checks there what
// object_compat.h says about private structures.
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_INTERNALS_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_INTERNALS_H_

#include <Python.h>

namespace frozen_arena {

// Called with what a local variable, cell or argument of a running frame holds, never null.
using LocalVisitor = void (*)(void* context, PyObject* value);

// Visits the local variables of all frames of all threads of this interpreter. What lies on the
// evaluation stacks is left out: an interpreter before 3.14 does not say how much of it is in use.
// Needs the GIL; creates no object.
void VisitFrameLocals(LocalVisitor visitor, void* context) noexcept;

// 3.14+: a reference in a frame says by a tag whether it is counted, and closing a counted one
// writes to the count, whatever that is (PyStackRef_CLOSE in pycore_stackref.h). Gives local
// variables that hold an object which has become immortal the tag that they would have got, had it
// been so from the start. What lies on evaluation stacks keeps the old one. Needs the GIL.
void TagImmortalLocals() noexcept;

// Called with an object that the collector tracks; 0 ends the visit. May not throw, make objects or
// change counts; from 3.12 on the count of what it is given is one too high meanwhile.
using GcObjectVisitor = int (*)(PyObject* object, void* context);

// Visits what the collector tracks, youngest generation first, in each in the order of its list.
// Needs the GIL, and collection disabled. False with an exception set when there is no memory
// (before 3.12).
bool VisitGcObjects(GcObjectVisitor visitor, void* context) noexcept;

// Whether this interpreter has a Python thread beside the calling one.
bool HasOtherPythonThreads() noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_INTERNALS_H_
