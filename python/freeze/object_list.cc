#include "python/freeze/object_list.h"

#include <exception>
#include <string_view>
#include <unordered_set>

#include "python/freeze/object_finder.h"
#include "python/layout/object_compat.h"

namespace frozen_arena {
namespace {

// A visit of all blocks. The arena's walk passes no exception on, so they wait here.
template <typename Each>
void ForEachObject(Arena& arena, Policy* policy, ReadableMemory* memory, Each& each) {
  struct Context {
    ObjectFinder finder;
    Each& each;
    std::exception_ptr failure;
  } context{ObjectFinder(policy, memory), each, nullptr};
  const auto visit = [](void* raw, void* block, std::size_t size) {
    auto* const at = static_cast<Context*>(raw);
    try {
      TypeInfo* info = nullptr;
      PyObject* const object = at->finder.Match(block, size, &info);
      at->each(object, info);
      return true;
    } catch (...) {
      at->failure = std::current_exception();
      return false;
    }
  };
  arena.VisitBlocks(LaneKind::kObjects, visit, &context);
  if (context.failure != nullptr) std::rethrow_exception(context.failure);
}

class Collector {
 public:
  Collector(bool strict, HalfBuilt* half_built, ObjectList* list)
      : strict_(strict), half_built_(half_built), list_(list) {}

  void operator()(PyObject* object, TypeInfo* info) {
    ++list_->blocks;
    if (object == nullptr) {
      ++list_->unknown_blocks;
      return;
    }
    ++info->objects;
    Reason reason = info->reason;
    if (reason == Reason::kNone && info->per_object != PerObject::kNothing) {
      reason = Policy::JudgeObject(object, *info);
    }
    if (debug_interpreter_ && reason == Reason::kNone && MayNameASlot(object))
      reason = Reason::kSlotName;
    half_built_->TakeReferencesOf(object, *info);
    std::uintptr_t tags = 0;
    if (info->may_be_half_built && (CountIsOne(object) || (strict_ && !IsImmortal(object))))
      tags = kCandidateTag;
    if (reason != Reason::kNone) tags |= AddMortal(object, info, reason);
    list_->tagged.push_back(reinterpret_cast<std::uintptr_t>(object) | tags);
  }

 private:
  // Interned constants of code are immortal when they are made.
  static bool IsImmortal(PyObject* object) noexcept {
    return kHasImmortal && static_cast<std::int32_t>(WordAt(object, 0)) < 0;
  }
  std::uintptr_t AddMortal(PyObject* object, TypeInfo* info, Reason reason) {
    info->CountMortal(reason);
    if (!info->has_finalizer) return kMortalTag;
    list_->finalisable.push_back(object);
    // To learn whether the arena itself holds it.
    return kMortalTag | kCandidateTag;
  }

  // "__next__" and its like, not interned. On a debug interpreter every frozen str says that it is
  // (immortalize.h), and setattr(cls, name, f) looks for the slot of an interned name by identity.
  static bool MayNameASlot(PyObject* object) noexcept {
    if (!PyUnicode_CheckExact(object) || PyUnicode_CHECK_INTERNED(object) != 0) return false;
    const Py_ssize_t length = PyUnicode_GET_LENGTH(object);
    if (length < 5 || PyUnicode_IS_ASCII(object) == 0) return false;
    const std::string_view text(static_cast<const char*>(PyUnicode_DATA(object)),
                                static_cast<std::size_t>(length));
    return text.starts_with("__") && text.ends_with("__");
  }

  bool strict_;
  bool debug_interpreter_ = kHasImmortal && IsDebugInterpreter();
  HalfBuilt* half_built_;
  ObjectList* list_;
};

}  // namespace

bool AskAboutTypes(Arena& arena, Policy* policy, ReadableMemory* memory) {
  for (;;) {
    std::unordered_set<PyTypeObject*> unasked;
    auto each = [&](PyObject* object, const TypeInfo* info) {
      if (object != nullptr && !policy->HasAsked(info->type)) unasked.insert(info->type);
    };
    ForEachObject(arena, policy, memory, each);
    if (unasked.empty()) return true;
    // What one answer does may end the last instance of the next type.
    for (PyTypeObject* const type : unasked) Py_INCREF(type);
    bool asked = true;
    for (PyTypeObject* const type : unasked) asked = asked && policy->AskPredicates(type);
    for (PyTypeObject* const type : unasked) Py_DECREF(type);
    if (!asked) return false;
  }
}

void CollectObjects(Arena& arena, Policy* policy, ReadableMemory* memory, bool strict,
                    HalfBuilt* half_built, ObjectList* list) {
  // Room for the blocks of both lanes: growing by halves would copy the list as many times.
  list->tagged.reserve(arena.stats().live_blocks);
  Collector collector(strict, half_built, list);
  ForEachObject(arena, policy, memory, collector);
  for (const std::uintptr_t tagged : list->tagged) {
    if ((tagged & kCandidateTag) != 0) half_built->AddCandidate(ObjectIn(tagged));
  }
}

}  // namespace frozen_arena
