// Python.h of 3.11 and 3.12 has to be read with this in force, so it comes before our own header.
#define Py_BUILD_CORE 1
#include "python/layout/internals.h"

#include "python/layout/frames.h"
#include "python/layout/object_compat.h"
#include "python/layout/words.h"

// Those versions' internal headers use C11 atomics where the compiler has them, which C++ does not
// know; without this macro they take the compiler's builtins.
#undef HAVE_STD_ATOMIC
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_object.h>

namespace frozen_arena {
namespace {

static_assert(sizeof(GcHead) == sizeof(PyGC_Head));
static_assert(offsetof(GcHead, next) == offsetof(PyGC_Head, _gc_next));
static_assert(offsetof(GcHead, previous) == offsetof(PyGC_Head, _gc_prev));
static_assert(kGcLinkMask == _PyGC_PREV_MASK);

static_assert(offsetof(DictKeysHead, count) == offsetof(PyDictKeysObject, dk_refcnt));
static_assert(offsetof(DictKeysHead, log2_size) == offsetof(PyDictKeysObject, dk_log2_size));
static_assert(offsetof(DictKeysHead, log2_index_bytes) ==
              offsetof(PyDictKeysObject, dk_log2_index_bytes));
static_assert(offsetof(DictKeysHead, kind) == offsetof(PyDictKeysObject, dk_kind));
static_assert(offsetof(DictKeysHead, version) == offsetof(PyDictKeysObject, dk_version));
static_assert(offsetof(DictKeysHead, usable) == offsetof(PyDictKeysObject, dk_usable));
static_assert(offsetof(DictKeysHead, entries) == offsetof(PyDictKeysObject, dk_nentries));
static_assert(sizeof(DictKeysHead) == offsetof(PyDictKeysObject, dk_indices));
static_assert(DICT_KEYS_GENERAL == 0);
static_assert(sizeof(DictEntry) == sizeof(PyDictKeyEntry));
static_assert(offsetof(DictEntry, hash) == offsetof(PyDictKeyEntry, me_hash));
static_assert(offsetof(DictEntry, key) == offsetof(PyDictKeyEntry, me_key));
static_assert(offsetof(DictEntry, value) == offsetof(PyDictKeyEntry, me_value));
static_assert(sizeof(DictStrEntry) == sizeof(PyDictUnicodeEntry));
static_assert(offsetof(DictStrEntry, key) == offsetof(PyDictUnicodeEntry, me_key));
static_assert(offsetof(DictStrEntry, value) == offsetof(PyDictUnicodeEntry, me_value));
static_assert(offsetof(DictValuesHead, values) == offsetof(PyDictValues, values));

// Members that came or went with a version are asked for by name, in templates, so that each
// version compiles the branch it has.
template <typename Frame>
constexpr std::size_t CodeOffset() {
  if constexpr (requires(Frame frame) { frame.f_executable; }) {
    return offsetof(Frame, f_executable);
  } else {
    return offsetof(Frame, f_code);
  }
}

template <typename Thread>
_PyInterpreterFrame* TopFrame(const Thread* thread) noexcept {
  if constexpr (requires { thread->cframe; }) {
    return thread->cframe == nullptr ? nullptr : thread->cframe->current_frame;
  } else {
    return thread->current_frame;
  }
}

PyObject* ReferenceAt(const void* word) noexcept {
  const std::uintptr_t bits = *static_cast<const std::uintptr_t*>(word);
  return reinterpret_cast<PyObject*>(bits &
                                     kStackReferenceMask);  // NOLINT(performance-no-int-to-ptr)
}

// Calls `visit` with the address of each word that is a local variable.
template <typename Visit>
void ForEachLocal(_PyInterpreterFrame* frame, Visit&& visit) noexcept {
  if (frame->owner > kLastFrameOwnerWithLocals) return;
  PyObject* const code =
      ReferenceAt(reinterpret_cast<const char*>(frame) + CodeOffset<_PyInterpreterFrame>());
  if (code == nullptr || !PyCode_Check(code)) return;
  const int locals = reinterpret_cast<PyCodeObject*>(code)->co_nlocalsplus;
  for (int i = 0; i < locals; ++i) visit(&frame->localsplus[i]);
}

template <typename Frame>
const _Py_CODEUNIT* InstructionOf(const Frame* frame) noexcept {
  if constexpr (requires { frame->instr_ptr; }) {
    return frame->instr_ptr;
  } else {
    return frame->prev_instr;
  }
}

template <typename Visit>
void ForEachFrame(Visit&& visit) noexcept {
  PyThreadState* thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
  for (; thread != nullptr; thread = PyThreadState_Next(thread)) {
    _PyInterpreterFrame* frame = TopFrame(thread);
    for (; frame != nullptr; frame = frame->previous) visit(frame);
  }
}

// 3.11: an object that has just been tracked is the last of the youngest generation, so the link
// after it leads to the head of that list, and the older generations are its neighbours
// (_gc_runtime_state in pycore_gc.h). The heads are no objects.
void WalkGenerations(const gc_generation* youngest, const PyObject* newest, GcObjectVisitor visitor,
                     void* context) noexcept {
  for (int i = 0; i < NUM_GENERATIONS; ++i) {
    const auto* const head = reinterpret_cast<const GcHead*>(&youngest[i].head);
    for (GcHead* at = GcLinkTo(head->next); at != head; at = GcLinkTo(at->next)) {
      auto* const object = reinterpret_cast<PyObject*>(at + 1);
      if (object != newest && visitor(object, context) == 0) return;
    }
  }
}

}  // namespace

bool VisitGcObjects(GcObjectVisitor visitor, void* context) noexcept {
  if constexpr (kHasGcVisit) {
    CallGcVisit(visitor, context);
    return true;
  }
  PyObject* const newest = PyList_New(0);
  if (newest == nullptr) return false;
  const auto* const youngest =
      reinterpret_cast<const gc_generation*>(GcLinkTo(GcHeadOf(newest)->next));
  WalkGenerations(youngest, newest, visitor, context);
  Py_DECREF(newest);
  return true;
}

void VisitFramesOfThisThread(FrameVisitor visitor, void* context) noexcept {
  const PyThreadState* const thread = PyGILState_GetThisThreadState();
  if (thread == nullptr) return;
  for (const _PyInterpreterFrame* frame = TopFrame(thread); frame != nullptr;
       frame = frame->previous) {
    if (frame->owner > kLastFrameOwnerWithLocals) continue;
    PyObject* const code =
        ReferenceAt(reinterpret_cast<const char*>(frame) + CodeOffset<_PyInterpreterFrame>());
    if (code == nullptr || !PyCode_Check(code)) continue;
    auto* const python = reinterpret_cast<PyCodeObject*>(code);
    const std::ptrdiff_t instruction =
        InstructionOf(frame) - reinterpret_cast<const _Py_CODEUNIT*>(python->co_code_adaptive);
    const auto bytes = static_cast<int>(instruction * static_cast<int>(sizeof(_Py_CODEUNIT)));
    if (!visitor(context, python, bytes)) return;
  }
}

void VisitFrameLocals(LocalVisitor visitor, void* context) noexcept {
  ForEachFrame([&](_PyInterpreterFrame* frame) {
    ForEachLocal(frame, [&](const void* word) {
      PyObject* const value = ReferenceAt(word);
      if (value != nullptr) visitor(context, value);
    });
  });
}

void TagImmortalLocals() noexcept {
  if constexpr (!kCountHasFlags) return;
  ForEachFrame([](_PyInterpreterFrame* frame) {
    ForEachLocal(frame, [](void* word) {
      auto& bits = *static_cast<std::uintptr_t*>(word);
      if (bits == 0 || (bits & ~kStackReferenceMask) != 0) return;  // tagged already, or no object
      if (IsImmortalForGood(ReferenceAt(word))) bits |= kUncountedTag;
    });
  });
}

bool HasOtherPythonThreads() noexcept {
  PyThreadState* const head = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
  return head != nullptr && PyThreadState_Next(head) != nullptr;
}

}  // namespace frozen_arena
