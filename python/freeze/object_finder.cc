#include "python/freeze/object_finder.h"

namespace frozen_arena {
namespace {

constexpr int kMaxMetaclassHops = 4;
constexpr Py_ssize_t kLargestInstance = Py_ssize_t{1} << 20;

bool IsAligned(const void* word) noexcept {
  return reinterpret_cast<std::uintptr_t>(word) % 8 == 0;
}

}  // namespace

// A type is readable, ready, of sane size and named, and its type is a metaclass, up to `type`
// itself.
bool ObjectFinder::IsType(const void* word, int hops) {
  if (word == &PyType_Type) return true;
  if (hops == 0 || word == nullptr || !IsAligned(word)) return false;
  if (!memory_->Contains(word, sizeof(PyTypeObject))) return false;
  const auto* const type = static_cast<const PyTypeObject*>(word);
  if (!IsPlausibleCount(WordAt(type, 0))) return false;
  const void* const metaclass = PointerAt<void>(type, kTypeOffset);
  if (!IsType(metaclass, hops - 1)) return false;
  if (!HasFlag(static_cast<const PyTypeObject*>(metaclass), Py_TPFLAGS_TYPE_SUBCLASS)) return false;
  if (!HasFlag(type, Py_TPFLAGS_READY)) return false;
  if (type->tp_basicsize < static_cast<Py_ssize_t>(sizeof(PyObject)) ||
      type->tp_basicsize > kLargestInstance) {
    return false;
  }
  return memory_->Contains(type->tp_name, 1);
}

TypeInfo* ObjectFinder::Discover(const void* word) {
  const void*& refused = refused_[reinterpret_cast<std::uintptr_t>(word) / 16 % refused_.size()];
  if (word == refused) return nullptr;
  if (!IsType(word, kMaxMetaclassHops)) {
    refused = word;
    return nullptr;
  }
  return policy_->InfoFor(static_cast<PyTypeObject*>(const_cast<void*>(word)));
}

bool ObjectFinder::LinksAreSane(PyObject* object) {
  const GcHead* const head = GcHeadOf(object);
  const auto self = reinterpret_cast<std::uintptr_t>(head);
  const GcHead* const next = GcLinkTo(head->next);
  const GcHead* const previous = GcLinkTo(head->previous);
  if (!memory_->Contains(next, sizeof(GcHead)) || !memory_->Contains(previous, sizeof(GcHead))) {
    return false;
  }
  return (next->previous & kGcLinkMask) == self && (previous->next & kGcLinkMask) == self;
}

}  // namespace frozen_arena
