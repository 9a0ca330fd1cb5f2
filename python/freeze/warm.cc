#include "python/freeze/warm.h"

#include <algorithm>
#include <cstring>

#include "allocator/scope.h"
#include "python/freeze/decimal_hash.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

Py_hash_t CachedHash(PyObject* object, const TypeInfo& info) noexcept {
  return static_cast<Py_hash_t>(WordAt(object, info.hash_offset));
}

// utcoffset() of these is C code that calls nobody.
bool IsKnownTimezone(PyObject* timezone) noexcept {
  if (timezone == nullptr || timezone == Py_None) return true;
  const char* const name = Py_TYPE(timezone)->tp_name;
  if (HasFlag(Py_TYPE(timezone), Py_TPFLAGS_HEAPTYPE) && std::strchr(name, '.') == nullptr) {
    return false;
  }
  return std::strcmp(name, "datetime.timezone") == 0 ||
         (std::strcmp(name, "zoneinfo.ZoneInfo") == 0 &&
          BestCBase(Py_TYPE(timezone)) == Py_TYPE(timezone));
}

// A folded one is hashed through a copy, which a subclass could see.
bool IsHashableDateTime(PyObject* object) noexcept {
  return IsKnownTimezone(TimezoneOfDateTime(object)) && !IsFoldedDateTime(object);
}
bool IsHashableTime(PyObject* object) noexcept {
  return IsKnownTimezone(TimezoneOfTime(object)) && !IsFoldedTime(object);
}

// Whether hash(item) calls no code of users. A tuple's own items are looked at before it is.
bool IsHashable(PyObject* item, const TypeInfo& info) noexcept {
  switch (info.hash_safety) {
    case HashSafety::kSafe:
      return true;
    case HashSafety::kDateTime:
      return IsHashableDateTime(item);
    case HashSafety::kTime:
      return IsHashableTime(item);
    case HashSafety::kTuple:
      return CachedHash(item, info) != -1;
    case HashSafety::kUnsafe:
      return false;
  }
  return false;
}

// Only views of bytes are frozen, so the hash of the base is known to be one; the rest is what
// memoryview insists on.
bool IsHashableView(PyObject* object) noexcept {
  const Py_buffer& view = reinterpret_cast<PyMemoryViewObject*>(object)->view;
  return view.readonly != 0 && view.obj != nullptr && PyBytes_CheckExact(view.obj) &&
         (view.format == nullptr || std::strcmp(view.format, "B") == 0);
}

// UTF-8 has no form for a lone surrogate; asking for it would raise.
template <typename Unit>
bool HasSurrogates(const Unit* text, Py_ssize_t length) noexcept {
  bool found = false;
  for (Py_ssize_t i = 0; i < length; ++i) found |= (text[i] & Unit{0xF800}) == Unit{0xD800};
  return found;
}

bool HasUtf8(PyObject* str) noexcept {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(str);
  switch (static_cast<int>(PyUnicode_KIND(str))) {
    case PyUnicode_1BYTE_KIND:
      return true;
    case PyUnicode_2BYTE_KIND:
      return !HasSurrogates(PyUnicode_2BYTE_DATA(str), length);
    case PyUnicode_4BYTE_KIND: {
      const Py_UCS4* const text = PyUnicode_4BYTE_DATA(str);
      for (Py_ssize_t i = 0; i < length; ++i) {
        if ((text[i] & ~Py_UCS4{0x7FF}) == 0xD800) return false;
      }
      return true;
    }
    default:
      return false;  // 3.11: not ready
  }
}

// What is appended to a list with room to spare is written beside its items. A short list gives the
// room up: it then takes new memory, and the OS page of its items stays shared. A long one would
// have to copy more than that OS page. Whoever is filling the list reads the field anew for each
// item (Objects/listobject.c); during a sort it is -1.
void GiveUpSpareRoom(PyObject* object) noexcept {
  constexpr Py_ssize_t kShort = 4096 / sizeof(PyObject*);
  auto* const list = reinterpret_cast<PyListObject*>(object);
  if (list->allocated > Py_SIZE(object) && list->allocated <= kShort) {
    list->allocated = Py_SIZE(object);
  }
}

}  // namespace

void Warmer::WarmObject(PyObject* object, const TypeInfo& info) {
  switch (info.warm) {
    case Warm::kNothing:
      return;
    case Warm::kStr:
      WarmHash(object, info);
      if (!HasUtf8Form(object)) WarmUtf8(object);
      return;
    case Warm::kHash:
      WarmHash(object, info);
      return;
    case Warm::kDecimal:
      WarmDecimal(object, info);
      return;
    case Warm::kDateTime:
      if (IsHashableDateTime(object)) WarmHash(object, info);
      return;
    case Warm::kTime:
      if (IsHashableTime(object)) WarmHash(object, info);
      return;
    case Warm::kMemoryView:
      if (IsHashableView(object)) WarmHash(object, info);
      return;
    case Warm::kTuple:
      WarmTuple(object, info);
      return;
    case Warm::kWeakref:
      if (IsHashableWeakref(object)) WarmHash(object, info);
      return;
    case Warm::kList:
      GiveUpSpareRoom(object);
      return;
  }
}

void Warmer::WarmHash(PyObject* object, const TypeInfo& info) {
  if (CachedHash(object, info) != -1) return;
  if (info.hash(object) == -1) {
    PyErr_Clear();  // a signalling NaN has none
    return;
  }
  ++ledger_->warmed_hashes;
}

// Compares with the decimal module for a start, and asks it for good should it ever differ.
void Warmer::WarmDecimal(PyObject* decimal, const TypeInfo& info) {
  constexpr int kToCheck = 16;
  constexpr int kDistrust = -1;
  const Py_hash_t hash = decimals_checked_ == kDistrust ? -1 : HashOfDecimal(decimal);
  if (hash == -1 || decimals_checked_ < kToCheck) {
    WarmHash(decimal, info);
    if (hash == -1) return;
    decimals_checked_ = CachedHash(decimal, info) == hash ? decimals_checked_ + 1 : kDistrust;
    return;
  }
  if (CachedHash(decimal, info) != -1) return;
  reinterpret_cast<DecimalFields*>(decimal)->hash = hash;
  ++ledger_->warmed_hashes;
}

// It has the hash of its target.
bool Warmer::IsHashableWeakref(PyObject* reference) {
  PyObject* const target = reinterpret_cast<PyWeakReference*>(reference)->wr_object;
  if (target == nullptr || target == Py_None || half_built_->Contains(target)) return false;
  return policy_->InfoFor(Py_TYPE(target))->hash_safety == HashSafety::kSafe;
}

// The interpreter keeps what encoding needs meanwhile in a free list (3.15: the buffers of bytes
// writers). Filled once from the ordinary heap, it holds nothing of the arena that another process
// would write to.
void Warmer::PrimeUtf8() {
  constexpr char kTwoLetters[] =
      "\u00e9\u00e9";  // strings of one such letter are shared and have the form already
  PyObject* const sample = PyUnicode_FromString(kTwoLetters);
  if (sample == nullptr || PyUnicode_AsUTF8AndSize(sample, nullptr) == nullptr) PyErr_Clear();
  Py_XDECREF(sample);
  utf8_primed_ = true;
}

void Warmer::WarmUtf8(PyObject* str) {
  if (!HasUtf8(str)) return;
  if (!utf8_primed_) PrimeUtf8();
  const RoutingScope scope(arena_);
  if (PyUnicode_AsUTF8AndSize(str, nullptr) == nullptr) {
    PyErr_Clear();
    return;
  }
  ++ledger_->warmed_utf8;
}

PyObject* Warmer::MakeInstanceDict(PyObject* object) {
  const RoutingScope scope(arena_);
  PyObject* const dict = PyObject_GenericGetDict(object, nullptr);
  if (dict == nullptr) {
    PyErr_Clear();
    return nullptr;
  }
  // The object holds on to it.
  Py_DECREF(dict);
  return dict;
}

// Puts `tuple` on the stack; false when its hash cannot be computed. While it is there it counts as
// unsafe, so that a tuple that contains itself ends the walk.
bool Warmer::Enter(PyObject* tuple) {
  // Tuples outside the arena are not remembered; few, and seldom deep.
  constexpr std::size_t kMaxDepthOutside = 64;
  if (half_built_->Contains(tuple) || unsafe_.Test(tuple)) return false;
  if (!unsafe_.Covers(tuple) && stack_.size() >= kMaxDepthOutside) return false;
  unsafe_.Set(tuple);
  stack_.push_back({tuple, 0});
  return true;
}

// Every item of the topmost tuple has a hash: computes its own, which calls no deeper.
bool Warmer::FinishTop(const TypeInfo& info) {
  PyObject* const tuple = stack_.back().tuple;
  if (info.hash(tuple) == -1) {
    PyErr_Clear();
    return Refuse();
  }
  ++ledger_->warmed_hashes;
  unsafe_.Clear(tuple);
  stack_.pop_back();
  return true;
}

// What is on the stack contains what has no hash, and stays marked.
bool Warmer::Refuse() {
  stack_.clear();
  return false;
}

// Most tuples hold nothing that has to be looked into.
bool Warmer::IsFlat(PyObject* tuple) {
  PyObject** const items = ItemsOfTuple(tuple);
  return std::all_of(items, items + Py_SIZE(tuple), [this](PyObject* item) {
    return item != nullptr && !half_built_->Contains(item) &&
           IsHashable(item, *policy_->InfoFor(Py_TYPE(item)));
  });
}

void Warmer::WarmTuple(PyObject* tuple, const TypeInfo& info) {
  if (!kTupleHasHash || CachedHash(tuple, info) != -1) return;
  if (IsFlat(tuple)) return WarmHash(tuple, info);
  if (!Enter(tuple)) return;
  while (!stack_.empty()) {
    TupleFrame& top = stack_.back();
    if (top.next == Py_SIZE(top.tuple)) {
      if (!FinishTop(info)) return;
      continue;
    }
    PyObject* const item = ItemsOfTuple(top.tuple)[top.next++];
    if (item == nullptr || half_built_->Contains(item)) {
      Refuse();
      return;
    }
    const TypeInfo& item_info = *policy_->InfoFor(Py_TYPE(item));
    const bool is_tuple = item_info.hash_safety == HashSafety::kTuple;
    if (!IsHashable(item, item_info) && !(is_tuple && Enter(item))) {
      Refuse();
      return;
    }
  }
}

}  // namespace frozen_arena
