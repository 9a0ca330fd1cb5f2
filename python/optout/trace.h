// Trace: which objects some given ones lead to, and which of them may be switched off, and why the
// others not.
//
// Follows references, where a freeze walks over blocks: there is no arena that holds just these
// objects. Who is reached through a reference of a live container is complete. Runs no Python code,
// writes to no object, and keeps no list on the C stack: depth is the data's.
#ifndef FROZEN_ARENA_PYTHON_OPTOUT_TRACE_H_
#define FROZEN_ARENA_PYTHON_OPTOUT_TRACE_H_

#include <Python.h>

#include <cstddef>

#include "python/freeze/address_bitmap.h"
#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/freeze/references.h"
#include "python/freeze/scratch.h"

namespace frozen_arena {

class Trace final : public ReferenceSink {
 public:
  // `opted_out` holds what is switched off already. May throw std::bad_alloc.
  Trace(Policy* policy, ReadableMemory* memory, const AddressBitmap& opted_out);

  // Starts at `root`; with `recursive` goes on to all that it leads to. Counts on the way what is
  // left as it is, by type and reason (TypeInfo::mortal). May throw std::bad_alloc.
  void Follow(PyObject* root, bool recursive);

  // What may be switched off.
  AddressBitmap& taken() noexcept { return taken_; }
  std::size_t taken_count() const noexcept { return taken_count_; }
  // What stays as it is and has a finalizer.
  const ScratchVector<PyObject*>& finalisable() const noexcept { return finalisable_; }

  void Take(PyObject* referent, bool is_object) noexcept override;
  bool KnowsAll() const override { return true; }

 private:
  void Enter(PyObject* object);
  void Visit(PyObject* object);
  Reason ReasonToLeave(PyObject* object, const TypeInfo& info) const;
  bool IsNamespace(PyObject* dict) const noexcept { return namespaces_.Test(dict); }
  void TakeSharedNamesOf(const TypeInfo& info);

  Policy* policy_;
  ReadableMemory* memory_;
  const AddressBitmap& opted_out_;
  AddressBitmap seen_ = AddressBitmap::OfAllAddresses();
  AddressBitmap taken_ = AddressBitmap::OfAllAddresses();
  AddressBitmap namespaces_ = AddressBitmap::OfAllAddresses();
  std::size_t taken_count_ = 0;
  ScratchVector<PyObject*> waiting_;
  ScratchVector<PyObject*> finalisable_;
  const PyFunctionObject* function_ = nullptr;  // the one that is being visited
  bool recursive_ = true;
  bool had_memory_ = true;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_OPTOUT_TRACE_H_
