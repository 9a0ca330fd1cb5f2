// Policy: frozen or mortal, and why. Decided once a type; what depends on the object itself is
// asked of the object.
//
// The predicates of the caller are the only user code that a freeze runs. They run first
// (AskPredicates), while nothing has been changed.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_POLICY_H_
#define FROZEN_ARENA_PYTHON_FREEZE_POLICY_H_

#include <unordered_map>
#include <vector>

#include "python/freeze/freeze.h"
#include "python/freeze/type_info.h"

namespace frozen_arena {

class Policy {
 public:
  explicit Policy(const FreezeOptions& options) : options_(options) {}
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  // Whether a predicate is a callable, so that it has to be asked before objects are collected.
  bool HasCallables() const noexcept;

  // Asks callables about `type`, once. Keeps the type alive. False with an exception set. May throw
  // std::bad_alloc.
  bool AskPredicates(PyTypeObject* type);
  bool HasAsked(PyTypeObject* type) const { return answers_.contains(type); }

  // The description of `type`, worked out when it is new. Runs no Python code. May throw
  // std::bad_alloc.
  TypeInfo* InfoFor(PyTypeObject* type) {
    TypeInfo* const info = types_.Find(type);
    return info != nullptr ? info : Introduce(type);
  }
  TypeMap& types() noexcept { return types_; }

  // What the object itself says, for a type that is frozen and has a PerObject question.
  static Reason JudgeObject(PyObject* object, const TypeInfo& info) noexcept;

 private:
  struct Answer {
    bool keep_mortal;
    bool also_freeze;
  };
  TypeInfo* Introduce(PyTypeObject* type);
  Answer AnswerFor(PyTypeObject* type) const;
  Reason JudgeType(const TypeInfo& info) const;

  FreezeOptions options_;
  TypeMap types_;
  std::unordered_map<PyTypeObject*, Answer> answers_;  // holds references to its keys
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_POLICY_H_
