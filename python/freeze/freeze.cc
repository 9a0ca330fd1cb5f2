#include "python/freeze/freeze.h"

#include <new>
#include <optional>

#include "allocator/scope.h"
#include "arena/check.h"
#include "python/freeze/collector_pause.h"
#include "python/freeze/finish.h"
#include "python/freeze/half_built.h"
#include "python/freeze/immortalize.h"
#include "python/freeze/object_list.h"
#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/freeze/type_counts.h"
#include "python/freeze/untrack.h"
#include "python/freeze/warm.h"
#include "python/layout/internals.h"

namespace frozen_arena {
namespace {

class Freeze {
 public:
  Freeze(Arena* arena, const FreezeOptions& options, FreezeLedger* ledger)
      : arena_(arena),
        options_(options),
        ledger_(ledger),
        policy_(options),
        half_built_(arena->SpanOf(LaneKind::kObjects), &policy_, &memory_) {}

  // Everything that can fail, and all code of others. False with an exception set, and nothing
  // changed. May throw std::bad_alloc, likewise.
  bool Prepare(PyObject* finalisable);
  // The writes, which cannot be undone.
  void Apply() noexcept;
  void WriteLedger() noexcept;

 private:
  bool ListFinalisable(PyObject* finalisable);
  void ApplyTo(PyObject* object, TypeInfo* info) noexcept;
  void ApplyToMortal(PyObject* object, const TypeInfo& info) noexcept;
  void WarmCaches(PyObject* object, const TypeInfo& info) noexcept;
  void WarmUp(PyObject* object, const TypeInfo& info) noexcept;
  void ApplyToDict(PyObject* dict) noexcept;

  Arena* arena_;
  FreezeOptions options_;
  FreezeLedger* ledger_;
  Policy policy_;
  ReadableMemory memory_;
  HalfBuilt half_built_;
  ObjectList objects_;
  std::optional<Warmer> warmer_;
  bool mark_interned_ = kHasImmortal && IsDebugInterpreter();
};

bool Freeze::Prepare(PyObject* finalisable) {
  if (SubtypeDealloc() == nullptr) return false;
  // It holds names of attributes that nothing else holds, and lets go of them when it likes.
  PyType_ClearCache();
  if (policy_.HasCallables() && !AskAboutTypes(*arena_, &policy_, &memory_)) return false;
  CollectObjects(*arena_, &policy_, &memory_, HasOtherPythonThreads(), &half_built_, &objects_);
  PyObject* const found = PyList_New(0);
  if (found == nullptr) return false;
  // Between the two searches: by now every reference from the arena is known, and none from
  // outside.
  bool ready = finalisable == nullptr || ListFinalisable(found);
  ready = ready && half_built_.SearchElsewhere(objects_.tagged);
  if (ready && finalisable != nullptr) {
    const Py_ssize_t end = PyList_GET_SIZE(finalisable);
    ready = PyList_SetSlice(finalisable, end, end, found) == 0;
  }
  Py_DECREF(found);
  const Arena::AddressSpan span = arena_->SpanOf(LaneKind::kObjects);
  warmer_.emplace(arena_, AddressBitmap(span.begin, span.end), &policy_, &half_built_, ledger_);
  if (policy_.InfoFor(&PyDict_Type)->reason != Reason::kNone) options_.instance_dicts = false;
  return ready;
}

bool Freeze::ListFinalisable(PyObject* finalisable) {
  for (PyObject* const object : objects_.finalisable) {
    const bool held_by_arena = !half_built_.HasUnreferenced(object);
    if (!AddFinalisable(finalisable, object, held_by_arena)) return false;
  }
  return true;
}

void Freeze::Apply() noexcept {
  constexpr std::size_t kAhead = 8;  // of 64 bytes and more each: one line of the cache in time
  const ScratchVector<std::uintptr_t>& tagged = objects_.tagged;
  TypeInfo* info = nullptr;
  for (std::size_t i = 0; i < tagged.size(); ++i) {
    if (i + kAhead < tagged.size()) __builtin_prefetch(ObjectIn(tagged[i + kAhead]), 1);
    PyObject* const object = ObjectIn(tagged[i]);
    if (info == nullptr || info->type != Py_TYPE(object)) {
      info = policy_.types().Find(Py_TYPE(object));
    }
    if ((tagged[i] & kMortalTag) == 0) {
      ApplyTo(object, info);
    } else {
      ApplyToMortal(object, *info);
    }
  }
}

void Freeze::ApplyTo(PyObject* object, TypeInfo* info) noexcept {
  if (info->may_be_half_built && half_built_.Contains(object)) {
    info->CountMortal(Reason::kUnderConstruction);
    return;
  }
  if (info->warm != Warm::kNothing || options_.instance_dicts) WarmUp(object, *info);
  if constexpr (kHasImmortal) Immortalize(object, mark_interned_);
  if (Untrack(object, *info)) ++ledger_->untracked;
  ++ledger_->frozen;
}

// Its count is written to, but comes back; what a cache is filled with stays, and the OS page with
// it.
//
// A tracked mortal costs its OS page, and those of its neighbours, at the first collection of each
// process. Weak references need no collector: their callback comes when the target dies.
void Freeze::ApplyToMortal(PyObject* object, const TypeInfo& info) noexcept {
  const bool complete = !info.may_be_half_built || !half_built_.Contains(object);
  if (complete && info.warm != Warm::kNothing) WarmCaches(object, info);
  if (info.per_object != PerObject::kWeakref || !info.has_gc) return;
  if (IsTracked(object) && !IsParked(object)) Park(object);
}

// What there is no memory for stays cold: it costs a reader a page, not the freeze.
void Freeze::WarmCaches(PyObject* object, const TypeInfo& info) noexcept {
  try {
    warmer_->WarmObject(object, info);
  } catch (const std::bad_alloc&) {
    return;
  }
}

void Freeze::WarmUp(PyObject* object, const TypeInfo& info) noexcept {
  WarmCaches(object, info);
  try {
    if (!options_.instance_dicts || !info.has_instance_dict || HasInstanceDict(object)) return;
    PyObject* const dict = warmer_->MakeInstanceDict(object);
    if (dict != nullptr) ApplyToDict(dict);
  } catch (const std::bad_alloc&) {
    return;
  }
}

// It was made after the objects were listed.
void Freeze::ApplyToDict(PyObject* dict) noexcept {
  if constexpr (kHasImmortal) Immortalize(dict, mark_interned_);
  if (IsTracked(dict)) PyObject_GC_UnTrack(dict);
  ++ledger_->materialised_dicts;
}

void Freeze::WriteLedger() noexcept {
  ledger_->blocks = objects_.blocks;
  ledger_->unknown_blocks = objects_.unknown_blocks;
  for (const TypeInfo& info : policy_.types().infos()) {
    ledger_->objects += info.objects;
    for (const std::size_t count : info.mortal) ledger_->mortal += count;
  }
  try {
    CountTypes(policy_.types().infos(), &ledger_->frozen_types, &ledger_->mortal_types);
  } catch (const std::bad_alloc&) {
    return;  // the sums are there, and the freeze has happened
  }
  FZA_DCHECK(ledger_->objects == ledger_->frozen + ledger_->mortal);
  FZA_DCHECK(ledger_->blocks == ledger_->objects + ledger_->unknown_blocks);
}

}  // namespace

bool FreezeObjects(Arena& arena, const FreezeOptions& options, PyObject* finalisable,
                   FreezeLedger* ledger) {
  const CollectorPause pause;
  *ledger = {};
  try {
    // Whatever is made on the way belongs to the ordinary heap; warming routes what it caches.
    const RoutingScope unrouted(nullptr);
    Freeze freeze(&arena, options, ledger);
    if (!freeze.Prepare(finalisable)) return false;
    freeze.Apply();
    TagImmortalLocals();
    freeze.WriteLedger();
    return true;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
}

}  // namespace frozen_arena
