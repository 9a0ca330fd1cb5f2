#include "python/optout/trace.h"

#include <new>

#include "arena/arena.h"

namespace frozen_arena {
namespace {

bool IsImmortal(PyObject* object) noexcept {
  return kHasImmortal && static_cast<std::int32_t>(WordAt(object, 0)) < 0;
}

// What is left as it is and yet leads to more of the caller's data. Not so what belongs to running
// code or to the system: a frame leads to everything.
bool LeadsToData(Reason reason) noexcept {
  switch (reason) {
    case Reason::kNone:
    case Reason::kFinalizer:
    case Reason::kWeakrefTarget:
    case Reason::kExtensionType:
    case Reason::kExportsMemory:
    case Reason::kUnderConstruction:
    case Reason::kOptedOut:
      return true;
    default:
      return false;
  }
}

bool HasEmptyPlace(PyObject* object) noexcept {
  if (!PyTuple_Check(object)) return false;
  for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) {
    if (ItemsOfTuple(object)[i] == nullptr) return true;
  }
  return false;
}

}  // namespace

Trace::Trace(Policy* policy, ReadableMemory* memory, const AddressBitmap& opted_out)
    : policy_(policy), memory_(memory), opted_out_(opted_out) {
  PyObject* const modules = PyImport_GetModuleDict();
  PyObject* module = nullptr;
  for (Py_ssize_t at = 0; PyDict_Next(modules, &at, nullptr, &module) != 0;) {
    if (PyModule_Check(module)) namespaces_.Set(PyModule_GetDict(module));
  }
}

Reason Trace::ReasonToLeave(PyObject* object, const TypeInfo& info) const {
  if (opted_out_.Test(object)) return Reason::kOptedOut;
  if (FindArena(object) != nullptr) return Reason::kInArena;
  if (HasFlag(info.type, Py_TPFLAGS_TYPE_SUBCLASS)) return Reason::kClass;
  if (PyModule_Check(object)) return Reason::kModule;
  if (IsImmortal(object)) return Reason::kImmortal;
  if (IsNamespace(object)) return Reason::kNamespace;
  if (info.reason != Reason::kNone) return info.reason;
  if (HasEmptyPlace(object)) return Reason::kUnderConstruction;
  return info.per_object == PerObject::kNothing ? Reason::kNone : Policy::JudgeObject(object, info);
}

void Trace::Follow(PyObject* root, bool recursive) {
  recursive_ = recursive;
  Enter(root);
  if (!recursive) waiting_.clear();
  while (!waiting_.empty()) {
    PyObject* const object = waiting_.back();
    waiting_.pop_back();
    Visit(object);
    if (!had_memory_) throw std::bad_alloc();
  }
}

// Called from C code too, which no exception may pass.
void Trace::Take(PyObject* referent, bool is_object) noexcept {
  if (!is_object || referent == nullptr || seen_.Test(referent)) return;
  // The variables of its module: what a function needs, not what it is made of.
  if (function_ != nullptr &&
      (referent == function_->func_globals || referent == function_->func_builtins)) {
    return;
  }
  try {
    Enter(referent);
  } catch (const std::bad_alloc&) {
    had_memory_ = false;
  }
}

void Trace::Enter(PyObject* object) {
  if (seen_.Test(object)) return;
  seen_.Set(object);
  TypeInfo* const info = policy_->InfoFor(Py_TYPE(object));
  if (recursive_ && info->objects == 0) TakeSharedNamesOf(*info);
  ++info->objects;
  const Reason reason = ReasonToLeave(object, *info);
  if (reason == Reason::kNone) {
    taken_.Set(object);
    ++taken_count_;
  } else {
    info->CountMortal(reason);
    if (info->has_finalizer && reason == info->reason) finalisable_.push_back(object);
  }
  if (LeadsToData(reason) && info->references != References::kNone) waiting_.push_back(object);
}

// The names of attributes that the instances of a class share.
void Trace::TakeSharedNamesOf(const TypeInfo& info) {
  if (!info.has_instance_dict || !HasFlag(info.type, Py_TPFLAGS_HEAPTYPE)) return;
  const DictKeysHead* const keys = SharedKeysOf(info.type);
  if (keys == nullptr) return;
  ForEachEntry(keys, [this](PyObject* key, PyObject*) { Take(key, true); });
}

void Trace::Visit(PyObject* object) {
  const TypeInfo& info = *policy_->types().Find(Py_TYPE(object));
  function_ = PyFunction_Check(object) ? reinterpret_cast<PyFunctionObject*>(object) : nullptr;
  VisitReferences(object, info, memory_, this, [this](PyObject* one) { Take(one, true); });
  function_ = nullptr;
}

}  // namespace frozen_arena
