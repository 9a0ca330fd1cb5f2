#include "python/freeze/half_built.h"

#include <exception>
#include <new>
#include <unordered_set>

#include "python/freeze/object_list.h"
#include "python/freeze/references.h"
#include "python/layout/internals.h"

namespace frozen_arena {
namespace {

// Everything referred to is complete. Called from C code too, which no exception may pass.
class TakeNote final : public ReferenceSink {
 public:
  explicit TakeNote(AddressBitmap* referenced) : referenced_(referenced) {}
  void Take(PyObject* referent, bool /*is_object*/) noexcept override { (*this)(referent); }
  void operator()(PyObject* referent) noexcept {
    try {
      referenced_->Set(referent);
    } catch (const std::bad_alloc&) {
      had_memory_ = false;
    }
  }
  bool had_memory() const noexcept { return had_memory_; }

 private:
  AddressBitmap* referenced_;
  bool had_memory_ = true;
};

// Follows references outside the arena as far as the collector does not list what they lead to:
// untracked containers, code objects, object arrays.
class OutsideWalk final : public ReferenceSink {
 public:
  OutsideWalk(AddressBitmap* unreferenced, std::size_t* left, Policy* policy,
              ReadableMemory* memory)
      : unreferenced_(unreferenced), left_(left), policy_(policy), memory_(memory) {}

  void Take(PyObject* referent, bool is_object) override {
    if (unreferenced_->Covers(referent)) {
      if (unreferenced_->Clear(referent)) --*left_;
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
      if (*left_ == 0) return;
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
    return failure_ == nullptr && *left_ != 0;
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
  std::size_t* left_;
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

void HalfBuilt::TakeReferencesOf(PyObject* object, const TypeInfo& info) {
  if (info.references == References::kNone) return;
  TakeNote note(&referenced_);
  if (!VisitReferences(object, info, memory_, &note, [&note](PyObject* one) { note(one); })) {
    broken_.Set(object);
    has_broken_ = true;
  }
  if (!note.had_memory()) throw std::bad_alloc();
}

bool HalfBuilt::SearchElsewhere(const ScratchVector<std::uintptr_t>& tagged_objects) {
  if (left_ == 0) return true;
  OutsideWalk walk(&unreferenced_, &left_, policy_, memory_);
  VisitFrameLocals(VisitLocal, &walk);
  walk.RethrowFailure();
  if (left_ == 0) return true;
  if (!VisitGcObjects(VisitTracked, &walk)) return false;
  walk.RethrowFailure();
  if (left_ != 0) walk.VisitArena(tagged_objects);
  return true;
}

}  // namespace frozen_arena
