#include "python/freeze/garbage.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <vector>

#include "python/layout/internals.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

// A note of one byte for each 16 bytes of address space in which a tracked object was seen, in
// chunks of 16 MiB of addresses.
class Notes {
 public:
  // The note of `address`, made if need be. May throw std::bad_alloc.
  std::uint8_t& Make(const void* address) {
    if (std::uint8_t* const note = Find(address)) return *note;
    if ((chunks_.size() + 1) * 4 > slots_.size()) Widen();
    const ScratchTable<std::uint8_t>& chunk = chunks_.emplace_back(kChunkSpan / 16);
    Put({NumberOf(address), chunk.data()});
    return *Find(address);
  }

  // The note of `address`, or nullptr when no tracked object lies near it.
  std::uint8_t* Find(const void* address) const noexcept {
    const std::uintptr_t number = NumberOf(address);
    for (std::size_t at = number;; ++at) {
      const Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.number == number) return slot.notes + IndexOf(address);
      if (slot.notes == nullptr) return nullptr;
    }
  }

 private:
  static constexpr std::uintptr_t kChunkSpan = std::uintptr_t{1} << 24;
  struct Slot {
    std::uintptr_t number = ~std::uintptr_t{0};
    std::uint8_t* notes = nullptr;
  };

  static std::uintptr_t NumberOf(const void* address) noexcept {
    return reinterpret_cast<std::uintptr_t>(address) / kChunkSpan;
  }
  static std::size_t IndexOf(const void* address) noexcept {
    return reinterpret_cast<std::uintptr_t>(address) % kChunkSpan / 16;
  }
  void Put(const Slot& slot) noexcept {
    std::size_t at = slot.number;
    while (slots_[at & (slots_.size() - 1)].notes != nullptr) ++at;
    slots_[at & (slots_.size() - 1)] = slot;
  }
  void Widen() {
    std::vector<Slot> narrow(slots_.size() * 2);
    slots_.swap(narrow);
    for (const Slot& slot : narrow) {
      if (slot.notes != nullptr) Put(slot);
    }
  }

  std::vector<ScratchTable<std::uint8_t>> chunks_;
  std::vector<Slot> slots_{64};  // by number of the chunk; a power of two, a quarter full
};

// Calls `visit(referent)`, never null, for each reference that the collector would be told of.
template <typename Visit>
void Traverse(PyObject* object, Visit&& visit) {
  const auto take = [&visit](PyObject* referent) {
    if (referent != nullptr) visit(referent);
  };
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &PyDict_Type) {
    ForEachTraversedInDict(reinterpret_cast<PyDictObject*>(object), take);
  } else if (type == &PyTuple_Type) {
    for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) take(ItemsOfTuple(object)[i]);
  } else if (type == &PyList_Type) {
    const auto* const list = reinterpret_cast<PyListObject*>(object);
    for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) take(list->ob_item[i]);
  } else if (type == &PySet_Type || type == &PyFrozenSet_Type) {
    ForEachInSet(reinterpret_cast<PySetObject*>(object), take);
  } else {
    const visitproc call = [](PyObject* referent, void* visitor) {
      (*static_cast<std::remove_reference_t<Visit>*>(visitor))(referent);
      return 0;
    };
    type->tp_traverse(object, call, &visit);
  }
}

class Search {
 public:
  // May throw std::bad_alloc.
  explicit Search(const CollectorLists& lists) : lists_(lists) {}

  // False: no memory. May throw std::bad_alloc, likewise.
  bool Find(std::vector<PyObject*>* suspects) {
    for (PyObject* const object : lists_.objects()) notes_.Make(object) = kTracked;
    left_ = lists_.objects().size();
    MarkHeldByPython();
    MarkReachable();
    if (left_ == 0 || !had_memory_) return had_memory_;
    suspects->reserve(left_);
    for (PyObject* const object : lists_.objects()) {
      if ((*notes_.Find(object) & kReached) == 0) suspects->push_back(object);
    }
    return true;
  }

 private:
  // The bits of a note.
  static constexpr std::uint8_t kTracked = 1;
  static constexpr std::uint8_t kReached = 2;
  static constexpr std::uint8_t kPassed = 4;  // by the sweep, before it was reached
  static constexpr std::size_t kAhead = 8;

  // Modules and the variables of running frames lead to nearly everything.
  void MarkHeldByPython() noexcept {
    if (PyObject* const modules = PyImport_GetModuleDict()) Mark(modules);
    VisitFrameLocals([](void* self, PyObject* value) { static_cast<Search*>(self)->Mark(value); },
                     this);
  }

  // The oldest list first: modules hold what was loaded last. In each list in its order, which is
  // that of the addresses as long as nothing was freed. What lies ahead is only marked and gets its
  // turn; what lies behind is followed at once.
  void MarkReachable() {
    const ScratchVector<PyObject*>& objects = lists_.objects();
    const std::vector<CollectorLists::List>& lists = lists_.lists();
    for (std::size_t list = lists.size(); list-- > 0;) {
      for (std::size_t i = lists[list].begin; i < lists[list].end && left_ != 0; ++i) {
        if (i + kAhead < objects.size()) __builtin_prefetch(objects[i + kAhead]);
        Pass(objects[i]);
      }
    }
  }

  void Pass(PyObject* object) {
    std::uint8_t& note = *notes_.Find(object);
    note |= kPassed;
    if ((note & kReached) == 0) return;
    Follow(object);
    while (!behind_.empty()) {
      PyObject* const next = behind_.back();
      behind_.pop_back();
      Follow(next);
    }
  }

  void Follow(PyObject* object) {
    Traverse(object, [this](PyObject* referent) noexcept { Mark(referent); });
  }

  // Called from C code, which no exception may pass.
  void Mark(PyObject* object) noexcept {
    std::uint8_t* const note = notes_.Find(object);
    if (note == nullptr || (*note & (kTracked | kReached)) != kTracked) return;
    *note |= kReached;
    --left_;
    if ((*note & kPassed) == 0) return;
    try {
      behind_.push_back(object);
    } catch (const std::bad_alloc&) {
      had_memory_ = false;
    }
  }

  const CollectorLists& lists_;
  Notes notes_;
  ScratchVector<PyObject*> behind_;
  std::size_t left_ = 0;  // not reached yet
  bool had_memory_ = true;
};

}  // namespace

bool FindSuspects(const CollectorLists& lists, std::vector<PyObject*>* suspects) noexcept {
  try {
    return Search(lists).Find(suspects);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace frozen_arena
