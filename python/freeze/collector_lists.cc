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

}  // namespace

bool CollectorLists::Read() noexcept {
  if (HasIncrementalCollector()) return false;
  const auto enter = [](PyObject* object, void* self) {
    return static_cast<CollectorLists*>(self)->Enter(object) ? 1 : 0;
  };
  if (!VisitGcObjects(enter, this)) {
    PyErr_Clear();
    return false;
  }
  return had_memory_ && FindHeads();
}

// Called from C code, which no exception may pass.
bool CollectorLists::Enter(PyObject* object) noexcept {
  try {
    const bool begins =
        objects_.empty() || GcLinkTo(GcHeadOf(objects_.back())->next) != GcHeadOf(object);
    if (begins) lists_.push_back({objects_.size(), 0, nullptr, {}});
    objects_.push_back(object);
  } catch (const std::bad_alloc&) {
    had_memory_ = false;
  }
  return had_memory_;
}

bool CollectorLists::FindHeads() noexcept {
  std::size_t end = objects_.size();
  for (std::size_t i = lists_.size(); i-- > 0;) {
    List& list = lists_[i];
    list.end = end;
    end = list.begin;
    GcHead* const first = GcHeadOf(objects_[list.begin]);
    GcHead* const last = GcHeadOf(objects_[list.end - 1]);
    list.head = GcLinkTo(first->previous);
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

void CollectorLists::PutBack() noexcept {
  for (List& list : lists_) MoveAll(&list.aside, list.head);
}

}  // namespace frozen_arena
