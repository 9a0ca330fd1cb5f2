// Graph copy: a copy of everything that a root leads to, made in the order of a walk.
//
// Nothing of the walk is recursive. What is mutable is one object in the copy where it was one in
// the original; equal immutable values may become one.
#ifndef FROZEN_ARENA_PYTHON_PACK_GRAPH_COPY_H_
#define FROZEN_ARENA_PYTHON_PACK_GRAPH_COPY_H_

#include "python/layout/object_compat.h"

namespace frozen_arena {

struct CopyOptions {
  bool dedupe = true;              // equal immutable leaves and tuples become one
  PyObject* reducers = nullptr;    // dict of types to callables, as copyreg's
  PyObject* registered = nullptr;  // copyreg.dispatch_table
};

// objects == copied + merged + kept + passed
struct CopyLedger {
  std::size_t objects = 0;  // that the root leads to, itself included
  std::size_t copied = 0;
  std::size_t merged = 0;  // an equal copy was there
  std::size_t kept = 0;    // not copied: classes, functions, what everybody shares
  std::size_t passed = 0;  // made by a reducer to be an argument
};

// The copy of `root`, a new reference; nullptr with an exception set, and nothing is left of the
// copy then. What cannot be copied is a TypeError that says where it is. Allocates as the calling
// thread is routed.
//
// Needs the GIL; runs Python code: reducers, __setstate__ and the like, hashes of keys, signal
// handlers.
PyObject* CopyGraph(PyObject* root, const CopyOptions& options, CopyLedger* ledger);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_GRAPH_COPY_H_
