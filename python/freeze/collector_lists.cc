#include "python/freeze/collector_lists.h"

#include <cstdint>
#include <new>

#include "python/layout/internals.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

// Keeps the flags in the low bits of the link.
void Link(std::uintptr_t* link, const GcHead* target) noexcept {
  *link = reinterpret_cast<std::uintptr_t>(target) | (*link & ~kGcLinkMask);
}

// What was made one after the other lies so too, mostly: where an object is soon looked at.
constexpr std::ptrdiff_t kAhead = 64;

// Moves all that is in the list of `from` to the front of the list of `to`.
void MoveAll(GcHead* from, GcHead* to) noexcept {
  GcHead* const first = GcLinkTo(from->next);
  GcHead* const last = GcLinkTo(from->previous);
  if (first == from) return;
  GcHead* const after = GcLinkTo(to->next);
  Link(&from->next, from);
  Link(&from->previous, from);
  Link(&to->next, first);
  Link(&first->previous, to);
  Link(&last->next, after);
  Link(&after->previous, last);
}

void MoveOne(PyObject* object, GcHead* to) noexcept {
  GcHead* const one = GcHeadOf(object);
  GcHead* const before = GcLinkTo(one->previous);
  GcHead* const after = GcLinkTo(one->next);
  Link(&before->next, after);
  Link(&after->previous, before);
  GcHead* const last = GcLinkTo(to->previous);
  Link(&last->next, one);
  Link(&one->previous, last);
  Link(&one->next, to);
  Link(&to->previous, one);
}

// The generations are an array of heads with two ints each; the permanent one stands behind it
// (_gc_runtime_state in pycore_gc.h of 3.11 to 3.13, pycore_interp_structs.h later).
constexpr std::uintptr_t kGenerations = 3;
constexpr std::uintptr_t kGenerationSize = sizeof(GcHead) + 2 * sizeof(int);

}  // namespace

bool CollectorLists::Read() noexcept {
  if (HasIncrementalCollector()) return false;
  // What is tracked last is the last of the youngest list, which so has a first and a last.
  PyObject* const newest = PyList_New(0);
  if (newest == nullptr) {
    PyErr_Clear();
    return false;
  }
  const auto enter = [](PyObject* object, void* self) {
    return static_cast<CollectorLists*>(self)->Enter(object) ? 1 : 0;
  };
  if (!VisitGcObjects(enter, this)) had_memory_ = false;
  PyErr_Clear();
  const bool found = had_memory_ && CloseLists() && Drop(newest);
  Py_DECREF(newest);
  return found;
}

// Called from C code, which no exception may pass.
bool CollectorLists::Enter(PyObject* object) noexcept {
  try {
    GcHead* const node = GcHeadOf(object);
    __builtin_prefetch(node + kAhead);
    if (objects_.empty() || GcLinkTo(GcHeadOf(objects_.back())->next) != node) {
      GcHead* const head = GcLinkTo(node->previous);
      if (!lists_.empty() && !IsGeneration(head)) return false;
      lists_.push_back({objects_.size(), 0, head, {}});
    }
    objects_.push_back(object);
  } catch (const std::bad_alloc&) {
    had_memory_ = false;
  }
  return had_memory_;
}

bool CollectorLists::IsGeneration(const GcHead* head) const noexcept {
  const auto youngest = reinterpret_cast<std::uintptr_t>(lists_.front().head);
  return reinterpret_cast<std::uintptr_t>(head) - youngest < kGenerations * kGenerationSize;
}

bool CollectorLists::Drop(const PyObject* newest) noexcept {
  if (objects_[lists_.front().end - 1] != newest) return false;
  objects_.erase(objects_.begin() + static_cast<std::ptrdiff_t>(lists_.front().end - 1));
  for (List& list : lists_) {
    if (&list != &lists_.front()) --list.begin;
    --list.end;
  }
  return true;
}

bool CollectorLists::CloseLists() noexcept {
  if (objects_.empty()) return false;
  std::size_t end = objects_.size();
  for (std::size_t i = lists_.size(); i-- > 0;) {
    List& list = lists_[i];
    list.end = end;
    end = list.begin;
    GcHead* const first = GcHeadOf(objects_[list.begin]);
    GcHead* const last = GcHeadOf(objects_[list.end - 1]);
    if (GcLinkTo(last->next) != list.head) return false;
    if (GcLinkTo(list.head->next) != first || GcLinkTo(list.head->previous) != last) return false;
  }
  return true;
}

void CollectorLists::SetAsideAllBut(const std::vector<PyObject*>& rest) noexcept {
  for (List& list : lists_) {
    Link(&list.aside.next, &list.aside);
    Link(&list.aside.previous, &list.aside);
    MoveAll(list.head, &list.aside);
  }
  for (PyObject* const object : rest) MoveOne(object, lists_.front().head);
}

// The oldest generation may have been empty, so that no object leads to it. An empty list is linked
// to itself; if what stands in its place is not, the objects stay where they were.
GcHead* CollectorLists::OldestHead() const noexcept {
  const auto youngest = reinterpret_cast<std::uintptr_t>(lists_.front().head);
  auto* const oldest = reinterpret_cast<GcHead*>(  // NOLINTNEXTLINE(performance-no-int-to-ptr)
      youngest + (kGenerations - 1) * kGenerationSize);
  const bool known = lists_.back().head == oldest;
  return known || (oldest->next == reinterpret_cast<std::uintptr_t>(oldest) &&
                   oldest->previous == oldest->next)
             ? oldest
             : nullptr;
}

void CollectorLists::PutBack() noexcept {
  GcHead* const oldest = OldestHead();
  for (List& list : lists_) MoveAll(&list.aside, oldest != nullptr ? oldest : list.head);
}

}  // namespace frozen_arena
