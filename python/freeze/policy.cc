#include "python/freeze/policy.h"

#include "python/freeze/describe_type.h"
#include "python/freeze/known_types.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

bool IsCallable(PyObject* predicate) noexcept {
  return predicate != nullptr && !PyTuple_Check(predicate) && !PyType_Check(predicate);
}

// A type or a tuple of types; subclasses match. Asks the method resolution order and no
// __subclasscheck__.
bool NamesType(PyObject* predicate, PyTypeObject* type) noexcept {
  if (predicate == nullptr) return false;
  if (PyType_Check(predicate)) {
    return PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(predicate)) != 0;
  }
  if (!PyTuple_Check(predicate)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(predicate); ++i) {
    if (NamesType(PyTuple_GET_ITEM(predicate, i), type)) return true;
  }
  return false;
}

// 1, 0, or -1 with an exception set.
int Ask(PyObject* predicate, PyTypeObject* type) {
  if (!IsCallable(predicate)) return 0;
  PyObject* const answer = PyObject_CallOneArg(predicate, reinterpret_cast<PyObject*>(type));
  if (answer == nullptr) return -1;
  const int truth = PyObject_IsTrue(answer);
  Py_DECREF(answer);
  return truth;
}

bool AnyHasCallback(PyWeakReference* reference) noexcept {
  for (; reference != nullptr; reference = reference->wr_next) {
    if (reference->wr_callback != nullptr) return true;
  }
  return false;
}

// Whether somebody waits for the callback. Not for that of a class: the sets of weak references
// that ABCs and singledispatch keep are tidied up by it, and read at each isinstance().
bool AwaitsEnd(const PyWeakReference* reference) noexcept {
  PyObject* const target = reference->wr_object;
  if (reference->wr_callback == nullptr || target == nullptr || target == Py_None) return false;
  return !PyType_Check(target) && !IsCachedWeakly(BestCBase(Py_TYPE(target)));
}

// Bytes never change and never move, so nobody waits for the end of a view of them.
bool IsOverBytes(const Py_buffer& view) noexcept {
  return view.obj != nullptr && PyBytes_CheckExact(view.obj);
}

}  // namespace

Policy::~Policy() {
  for (const auto& [type, answer] : answers_) Py_DECREF(type);
}

bool Policy::HasCallables() const noexcept {
  return IsCallable(options_.keep_mortal) || IsCallable(options_.also_freeze);
}

bool Policy::AskPredicates(PyTypeObject* type) {
  const int keep = Ask(options_.keep_mortal, type);
  if (keep < 0) return false;
  const int also = Ask(options_.also_freeze, type);
  if (also < 0) return false;
  if (answers_.try_emplace(type, Answer{keep != 0, also != 0}).second) Py_INCREF(type);
  TypeInfo* const info = types_.Find(type);
  if (info != nullptr)
    info->reason = JudgeType(*info);  // it was judged before the answer was known
  return true;
}

Policy::Answer Policy::AnswerFor(PyTypeObject* type) const {
  const auto asked = answers_.find(type);
  if (asked != answers_.end()) return asked->second;
  return {NamesType(options_.keep_mortal, type), NamesType(options_.also_freeze, type)};
}

Reason Policy::JudgeType(const TypeInfo& info) const {
  const Answer answer = AnswerFor(info.type);
  if (answer.keep_mortal) return Reason::kKeepMortal;
  const Reason always = AlwaysMortal(info.c_base);
  if (always != Reason::kNone) return always;
  if (answer.also_freeze) return Reason::kNone;
  // Classes: code holds on to them, and caches of ABCs and of singledispatch watch them without
  // being interested.
  if (HasFlag(info.type, Py_TPFLAGS_TYPE_SUBCLASS)) return Reason::kNone;
  const Reason usually = UsuallyMortal(info.type, info.c_base);
  if (usually != Reason::kNone) return usually;
  if (info.has_finalizer) return Reason::kFinalizer;
  return IsPlainData(info.c_base) ? Reason::kNone : Reason::kExtensionType;
}

TypeInfo* Policy::Introduce(PyTypeObject* type) {
  TypeInfo* const info = types_.Add(type);
  DescribeType(info);
  info->reason = JudgeType(*info);
  return info;
}

Reason Policy::JudgeObject(PyObject* object, const TypeInfo& info) noexcept {
  switch (info.per_object) {
    case PerObject::kNothing:
      return Reason::kNone;
    case PerObject::kWeakref:
      return AwaitsEnd(reinterpret_cast<PyWeakReference*>(object)) ? Reason::kWeakrefCallback
                                                                   : Reason::kNone;
    case PerObject::kMemoryView: {
      const auto* const view = reinterpret_cast<PyMemoryViewObject*>(object);
      return IsOverBytes(view->view) ? Reason::kNone : Reason::kExportsMemory;
    }
    case PerObject::kManagedBuffer: {
      const auto* const buffer = reinterpret_cast<_PyManagedBufferObject*>(object);
      return IsOverBytes(buffer->master) ? Reason::kNone : Reason::kExportsMemory;
    }
    case PerObject::kWeakrefTarget:
      return AnyHasCallback(FirstWeakref(object)) ? Reason::kWeakrefTarget : Reason::kNone;
  }
  return Reason::kNone;
}

}  // namespace frozen_arena
