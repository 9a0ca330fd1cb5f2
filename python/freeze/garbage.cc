#include "python/freeze/garbage.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <unordered_map>
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
  bool Find(std::vector<PyObject*>* garbage) {
    for (PyObject* const object : lists_.objects()) notes_.Make(object) = kTracked;
    left_ = lists_.objects().size();
    MarkHeldByPython();
    MarkReachableByList();
    ScratchVector<PyObject*> rest = TakeLeft(lists_.objects());
    CountReferences(rest);
    MarkHeldFromElsewhere(rest);
    MarkReachable(rest);
    rest = TakeLeft(rest);
    garbage->insert(garbage->end(), rest.begin(), rest.end());
    return had_memory_;
  }

 private:
  using Objects = std::span<PyObject* const>;

  // A note while references are counted: kTracked, and their number in the other seven bits. At all
  // other times: kTracked, kReached, kPassed. What is known to be alive has no note.
  static constexpr std::uint8_t kTracked = 0x80;
  static constexpr std::uint8_t kReached = 1;
  static constexpr std::uint8_t kPassed = 2;  // by the sweep, before it was reached
  static constexpr std::uint8_t kMany = 0x7F;
  static constexpr std::size_t kAhead = 8;

  template <typename Each>
  static void ForEachIn(Objects objects, Each&& each) {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      if (i + kAhead < objects.size()) __builtin_prefetch(objects[i + kAhead]);
      each(objects[i]);
    }
  }

  std::uint8_t* NoteOfTracked(PyObject* object) const noexcept {
    std::uint8_t* const note = notes_.Find(object);
    return note != nullptr && (*note & kTracked) != 0 ? note : nullptr;
  }

  // What has not been reached, with notes as new; the notes of the others are gone.
  ScratchVector<PyObject*> TakeLeft(Objects objects) {
    ScratchVector<PyObject*> rest;
    if (left_ == 0) return rest;
    for (PyObject* const object : objects) {
      std::uint8_t& note = *notes_.Find(object);
      const bool reached = (note & kReached) != 0;
      note = reached ? 0 : kTracked;
      if (!reached) rest.push_back(object);
    }
    return rest;
  }

  // Modules and the variables of running frames lead to nearly everything, and what they lead to
  // need not be counted.
  void MarkHeldByPython() noexcept {
    if (PyObject* const modules = PyImport_GetModuleDict()) Mark(modules);
    VisitFrameLocals([](void* self, PyObject* value) { static_cast<Search*>(self)->Mark(value); },
                     this);
  }

  void CountReferences(Objects objects) {
    ForEachIn(objects, [this](PyObject* object) {
      Traverse(object, [this](PyObject* referent) noexcept {
        std::uint8_t* const note = NoteOfTracked(referent);
        if (note == nullptr) return;
        if ((*note & kMany) != kMany) {
          ++*note;
        } else {
          CountAsMany(referent);
        }
      });
    });
  }

  // References to one object, a class mostly, come in runs.
  void CountAsMany(PyObject* object) noexcept {
    if (object != last_of_many_) {
      Try([&] { last_count_ = &many_[object]; });
      if (!had_memory_) return;
      last_of_many_ = object;
    }
    ++*last_count_;
  }

  // An immortal object has more references than anybody has taken. Fewer than were counted there
  // are when a suspended frame of 3.14+ borrows one: the collector knows these, and judges again.
  void MarkHeldFromElsewhere(Objects objects) {
    ForEachIn(objects, [this](PyObject* object) {
      std::uint8_t& note = *notes_.Find(object);
      Py_ssize_t counted = note & kMany;
      if (counted == kMany) {
        const auto more = many_.find(object);
        if (more != many_.end()) counted += more->second;
      }
      note = kTracked;
      if (Py_REFCNT(object) > counted) Mark(object);
    });
  }

  // The oldest list first: modules hold what was loaded last.
  void MarkReachableByList() {
    const Objects all = lists_.objects();
    const std::vector<CollectorLists::List>& lists = lists_.lists();
    for (std::size_t i = lists.size(); i-- > 0;) {
      MarkReachable(all.subspan(lists[i].begin, lists[i].end - lists[i].begin));
    }
  }

  // In the order of the list, which is that of the addresses as long as nothing was freed. What lies
  // ahead is only marked and gets its turn; what lies behind is followed at once.
  void MarkReachable(Objects objects) {
    ForEachIn(objects, [this](PyObject* object) {
      std::uint8_t& note = *notes_.Find(object);
      note |= kPassed;
      if ((note & kReached) == 0 || left_ == 0) return;
      Follow(object);
      while (!behind_.empty()) {
        PyObject* const next = behind_.back();
        behind_.pop_back();
        Follow(next);
      }
    });
  }

  void Follow(PyObject* object) {
    Traverse(object, [this](PyObject* referent) noexcept { Mark(referent); });
  }

  void Mark(PyObject* object) noexcept {
    std::uint8_t* const note = NoteOfTracked(object);
    if (note == nullptr || (*note & kReached) != 0) return;
    *note |= kReached;
    --left_;
    if ((*note & kPassed) != 0) Try([&] { behind_.push_back(object); });
  }

  // What is called from C code lets no exception pass.
  template <typename Body>
  void Try(Body&& body) noexcept {
    try {
      body();
    } catch (const std::bad_alloc&) {
      had_memory_ = false;
    }
  }

  const CollectorLists& lists_;
  Notes notes_;
  ScratchVector<PyObject*> behind_;
  std::unordered_map<PyObject*, Py_ssize_t> many_;
  PyObject* last_of_many_ = nullptr;
  Py_ssize_t* last_count_ = nullptr;
  std::size_t left_ = 0;  // not reached yet
  bool had_memory_ = true;
};

}  // namespace

bool FindGarbage(const CollectorLists& lists, std::vector<PyObject*>* garbage) noexcept {
  try {
    return Search(lists).Find(garbage);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace frozen_arena
