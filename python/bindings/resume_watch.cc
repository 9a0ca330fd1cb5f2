#include "python/bindings/resume_watch.h"

#if FZA_WATCH_RESUMES

#include <algorithm>
#include <new>
#include <vector>

namespace frozen_arena {
namespace {

struct Watch {
  const void* frame;  // gi_iframe of its generator (Include/cpython/genobject.h)
  bool resumed;
};

std::vector<Watch>& Watches() {
  static auto* const watches = new std::vector<Watch>;
  return *watches;
}

_PyFrameEvalFunction next_evaluation = nullptr;
bool in_chain = false;

PyObject* Evaluate(PyThreadState* thread, _PyInterpreterFrame* frame, int throwing) {
  for (Watch& watch : Watches()) watch.resumed = watch.resumed || watch.frame == frame;
  return next_evaluation(thread, frame, throwing);
}

void EnterChain() {
  if (in_chain) return;
  PyInterpreterState* const interpreter = PyInterpreterState_Get();
  next_evaluation = _PyInterpreterState_GetEvalFrameFunc(interpreter);
  _PyInterpreterState_SetEvalFrameFunc(interpreter, &Evaluate);
  in_chain = true;
}

// Under somebody who put a function of theirs above ours and calls it, ours stays.
void LeaveChain() {
  PyInterpreterState* const interpreter = PyInterpreterState_Get();
  if (_PyInterpreterState_GetEvalFrameFunc(interpreter) != &Evaluate) return;
  _PyInterpreterState_SetEvalFrameFunc(interpreter, next_evaluation);
  in_chain = false;
}

}  // namespace

PyObject* WatchResumes(PyObject* /*module*/, PyObject* frame) {
  PyObject* const generator = PyFrame_GetGenerator(reinterpret_cast<PyFrameObject*>(frame));
  if (generator == nullptr) return PyLong_FromLong(0);
  // The three kinds of generator begin with the same members (_PyGenObject_HEAD).
  const void* const evaluated = reinterpret_cast<PyGenObject*>(generator)->gi_iframe;
  Py_DECREF(generator);
  PyObject* const token = PyLong_FromVoidPtr(const_cast<void*>(evaluated));
  if (token == nullptr) return nullptr;
  try {
    Watches().push_back({evaluated, false});
  } catch (const std::bad_alloc&) {
    Py_DECREF(token);
    return PyErr_NoMemory();
  }
  EnterChain();
  return token;
}

PyObject* TakeResumes(PyObject* /*module*/, PyObject* token) {
  const void* const evaluated = PyLong_AsVoidPtr(token);
  if (evaluated == nullptr && PyErr_Occurred() != nullptr) return nullptr;
  std::vector<Watch>& watches = Watches();
  const auto watch = std::find_if(watches.rbegin(), watches.rend(),
                                  [evaluated](const Watch& one) { return one.frame == evaluated; });
  if (watch == watches.rend()) Py_RETURN_FALSE;
  const bool resumed = watch->resumed;
  watches.erase(std::next(watch).base());
  if (watches.empty()) LeaveChain();
  return PyBool_FromLong(resumed ? 1 : 0);
}

}  // namespace frozen_arena

#endif  // FZA_WATCH_RESUMES
