#include "python/freeze/half_built.h"

#include <exception>
#include <unordered_set>

#include "python/freeze/object_list.h"
#include "python/freeze/references.h"
#include "python/layout/internals.h"

namespace frozen_arena {
namespace {

// Everything referred to is complete.
class Discharge final : public ReferenceSink {
 public:
  explicit Discharge(AddressBitmap* unreferenced) : unreferenced_(unreferenced) {}
  void Take(PyObject* referent, bool /*is_object*/) override { unreferenced_->Clear(referent); }
  void operator()(PyObject* referent) const { unreferenced_->Clear(referent); }

 private:
  AddressBitmap* unreferenced_;
};

// Follows references outside the arena as far as the collector does not list what they lead to:
// untracked containers, code objects, object arrays.
class OutsideWalk final : public ReferenceSink {
 public:
  OutsideWalk(AddressBitmap* unreferenced, Policy* policy, ReadableMemory* memory)
      : unreferenced_(unreferenced), policy_(policy), memory_(memory) {}

  void Take(PyObject* referent, bool is_object) override {
    if (unreferenced_->Covers(referent)) {
      unreferenced_->Clear(referent);
    } else if (is_object && referent != nullptr) {
      Follow(referent);
    }
  }

  // The same from objects of the arena: tuples that came from a free list lie outside, and may be
  // untracked.
  void VisitArena(const ScratchVector<std::uintptr_t>& tagged_objects) {
    for (const std::uintptr_t tagged : tagged_objects) {
      VisitOne(ObjectIn(tagged));
      Drain();
      if (unreferenced_->count() == 0) return;
    }
  }

  // Whether there is something left to look for. These two keep exceptions from passing through C
  // code.
  bool VisitTracked(PyObject* object) noexcept {
    return Guard([this, object] {
      if (!unreferenced_->Covers(object)) VisitOne(object);
    });
  }
  bool VisitLocal(PyObject* object) noexcept {
    return Guard([this, object] { Take(object, true); });
  }
  void RethrowFailure() const {
    if (failure_ != nullptr) std::rethrow_exception(failure_);
  }

 private:
  template <typename Body>
  bool Guard(Body&& body) noexcept {
    if (failure_ != nullptr) return false;
    try {
      body();
      Drain();
    } catch (...) {
      failure_ = std::current_exception();
    }
    return failure_ == nullptr && unreferenced_->count() != 0;
  }
  void Follow(PyObject* object) {
    const TypeInfo* const info = policy_->InfoFor(Py_TYPE(object));
    if (info->references == References::kNone) return;
    if (HasGcHead(object) && IsTracked(object) && !IsParked(object)) return;  // its turn comes
    if (seen_.insert(object).second) waiting_.push_back(object);
  }
  void VisitOne(PyObject* object) {
    const TypeInfo* const info = policy_->InfoFor(Py_TYPE(object));
    VisitReferences(object, *info, memory_, this, [this](PyObject* one) { Take(one, true); });
  }
  void Drain() {
    while (!waiting_.empty()) {
      PyObject* const object = waiting_.back();
      waiting_.pop_back();
      VisitOne(object);
    }
  }

  AddressBitmap* unreferenced_;
  Policy* policy_;
  ReadableMemory* memory_;
  std::unordered_set<PyObject*> seen_;
  std::vector<PyObject*> waiting_;
  std::exception_ptr failure_;
};

int VisitTracked(PyObject* object, void* walk) {
  return static_cast<OutsideWalk*>(walk)->VisitTracked(object) ? 1 : 0;
}

void VisitLocal(void* walk, PyObject* value) { static_cast<OutsideWalk*>(walk)->VisitLocal(value); }

}  // namespace

void HalfBuilt::SearchObjects(const ScratchVector<std::uintptr_t>& tagged_objects) {
  Discharge discharge(&unreferenced_);
  for (const std::uintptr_t tagged : tagged_objects) {
    PyObject* const object = ObjectIn(tagged);
    const TypeInfo& info = *policy_->types().Find(Py_TYPE(object));
    if (!VisitReferences(object, info, memory_, &discharge, discharge)) broken_.Set(object);
  }
}

bool HalfBuilt::SearchElsewhere(const ScratchVector<std::uintptr_t>& tagged_objects) {
  if (unreferenced_.count() == 0) return true;
  OutsideWalk walk(&unreferenced_, policy_, memory_);
  VisitFrameLocals(VisitLocal, &walk);
  walk.RethrowFailure();
  if (unreferenced_.count() == 0) return true;
  if (!VisitGcObjects(VisitTracked, &walk)) return false;
  walk.RethrowFailure();
  if (unreferenced_.count() != 0) walk.VisitArena(tagged_objects);
  return true;
}

}  // namespace frozen_arena
