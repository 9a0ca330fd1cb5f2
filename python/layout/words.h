// Words: reading and writing the words that every object has, and walking the tables that some
// have. Inline, because the freeze does this for millions of objects.
//
// Nothing here checks what it is given: the object must be one (freeze/object_finder.h).
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_WORDS_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_WORDS_H_

#include <cstdint>
#include <cstring>

#include "python/layout/object_compat.h"
// Only after Python.h.
#include <datetime.h>

namespace frozen_arena {

inline std::uint64_t WordAt(const void* base, std::ptrdiff_t offset) noexcept {
  std::uint64_t word;
  std::memcpy(&word, static_cast<const char*>(base) + offset, sizeof word);
  return word;
}

template <typename T>
T* PointerAt(const void* base, std::ptrdiff_t offset) noexcept {
  T* pointer;
  std::memcpy(&pointer, static_cast<const char*>(base) + offset, sizeof pointer);
  return pointer;
}

// --- Reference count
// -------------------------------------------------------------------------------------

// Whether `word` can be the first word of a living object. On 3.12 and 3.13 the whole word is
// asked, which shuts out the links of free lists; on 3.14+ the flags in the upper 16 bits may be
// anything.
inline bool IsPlausibleCount(std::uint64_t word) noexcept {
  if constexpr (kCountHasFlags) {
    return static_cast<std::uint32_t>(word) != 0 && (word >> 32 & 0xFFFF) == 0;
  } else if constexpr (kHasImmortal) {
    return word - 1 < 0xFFFFFFFFu;
  } else {
    return word - 1 < (std::uint64_t{1} << 40) - 1;
  }
}

inline bool CountIsOne(const PyObject* object) noexcept {
  const std::uint64_t word = WordAt(object, 0);
  return (kCountHasFlags ? static_cast<std::uint32_t>(word) : word) == 1;
}

// Whether no INCREF and no DECREF writes to the count any more.
inline bool IsImmortalForGood(const PyObject* object) noexcept {
  const std::uint64_t word = WordAt(object, 0);
  if (static_cast<std::uint32_t>(word) != kImmortalCount) return false;
  return !kCountHasFlags || (word >> 48 & kImmortalFlag) != 0;
}

// Precondition: kHasImmortal. Keeps the other flags of 3.14+.
inline void WriteImmortalCount(PyObject* object) noexcept {
  std::uint64_t word = kImmortalCount;
  if constexpr (kCountHasFlags) {
    word |= (WordAt(object, 0) >> 48 | kImmortalFlag) << 48;
  }
  std::memcpy(static_cast<void*>(object), &word, sizeof word);
}

// Precondition: kHasImmortal. Makes an object that was immortal be counted again.
inline void WriteCount(PyObject* object, std::uint32_t count) noexcept {
  std::uint64_t word = count;
  if constexpr (kCountHasFlags) {
    word |= (WordAt(object, 0) >> 48 & ~std::uint64_t{kImmortalFlag}) << 48;
  }
  std::memcpy(static_cast<void*>(object), &word, sizeof word);
}

// --- Collector
// -------------------------------------------------------------------------------------------

// Precondition: the type of `object` has Py_TPFLAGS_HAVE_GC.
inline GcHead* GcHeadOf(PyObject* object) noexcept { return reinterpret_cast<GcHead*>(object) - 1; }
inline bool IsTracked(PyObject* object) noexcept { return GcHeadOf(object)->next != 0; }

// Whether there is a GcHead before `object`: static types have the type of heap types, and none.
inline bool HasGcHead(PyObject* object) noexcept {
  const PyTypeObject* const type = Py_TYPE(object);
  if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) == 0) return false;
  return type->tp_is_gc == nullptr || type->tp_is_gc(object) != 0;
}

inline GcHead* GcLinkTo(std::uintptr_t link) noexcept {
  return reinterpret_cast<GcHead*>(link & kGcLinkMask);  // NOLINT(performance-no-int-to-ptr)
}

// Takes a tracked object out of the collector's lists and leaves it tracked, in a list of its own:
// no collection finds it, and whoever untracks it finds links to work on.
inline void Park(PyObject* object) noexcept {
  GcHead* const head = GcHeadOf(object);
  GcHead* const next = GcLinkTo(head->next);
  GcHead* const previous = GcLinkTo(head->previous);
  const auto replace = [](std::uintptr_t* link, const GcHead* target) {
    *link = reinterpret_cast<std::uintptr_t>(target) | (*link & ~kGcLinkMask);
  };
  replace(&previous->next, next);
  replace(&next->previous, previous);
  replace(&head->next, head);
  replace(&head->previous, head);
}
inline bool IsParked(PyObject* object) noexcept {
  return GcLinkTo(GcHeadOf(object)->next) == GcHeadOf(object);
}

// --- str
// -------------------------------------------------------------------------------------------------

inline PyASCIIObject* StrHead(PyObject* str) noexcept {
  return reinterpret_cast<PyASCIIObject*>(str);
}
inline bool HasUtf8Form(PyObject* str) noexcept {
  if (StrHead(str)->state.ascii != 0) return true;  // the characters are the UTF-8 form
  return reinterpret_cast<PyCompactUnicodeObject*>(str)->utf8 != nullptr;
}

// --- Instance dict
// ---------------------------------------------------------------------------------------

// Whether an instance has a `__dict__` already; also true where its place depends on the instance's
// size, so that nobody makes one there.
inline bool HasInstanceDict(PyObject* object) noexcept {
  const PyTypeObject* const type = Py_TYPE(object);
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
    const std::uint64_t word = WordAt(object, kManagedDictOffset);
    return word != 0 && !(kDictOrValues && word % 2 != 0);  // an odd word names the values
  }
  return type->tp_dictoffset < 0 || PointerAt<PyObject>(object, type->tp_dictoffset) != nullptr;
}

// The values of an instance that has no dict yet, or nullptr where there are none.
inline const DictValuesHead* ValuesWithoutDict(PyObject* object) noexcept {
  const PyTypeObject* const type = Py_TYPE(object);
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) == 0) return nullptr;
  const std::uint64_t word = WordAt(object, kManagedDictOffset);
  if constexpr (kDictOrValues) {  // an odd word is the address of the values, less one
    const auto address = static_cast<std::uintptr_t>(word + 1);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the interpreter keeps it as a number
    return word % 2 == 0 ? nullptr : reinterpret_cast<const DictValuesHead*>(address);
  } else if constexpr (kDictBesideValues) {
    return word != 0 ? nullptr : PointerAt<DictValuesHead>(object, kManagedValuesOffset);
  } else {
    if (word != 0 || (type->tp_flags & kInlineValuesFlag) == 0) return nullptr;
    return reinterpret_cast<const DictValuesHead*>(reinterpret_cast<const char*>(object) +
                                                   type->tp_basicsize);
  }
}

// The dict of an instance that has one, or nullptr.
inline PyObject* InstanceDictOf(PyObject* object) noexcept {
  const PyTypeObject* const type = Py_TYPE(object);
  if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0) {
    const bool has_dict = ValuesWithoutDict(object) == nullptr && HasInstanceDict(object);
    return has_dict ? PointerAt<PyObject>(object, kManagedDictOffset) : nullptr;
  }
  return type->tp_dictoffset > 0 ? PointerAt<PyObject>(object, type->tp_dictoffset) : nullptr;
}

// --- Weak references
// -------------------------------------------------------------------------------------

// The weak references to `object`, as their list starts. Precondition: tp_weaklistoffset != 0.
inline PyWeakReference* FirstWeakref(PyObject* object) noexcept {
  return PointerAt<PyWeakReference>(object, Py_TYPE(object)->tp_weaklistoffset);
}

// --- Tables
// ----------------------------------------------------------------------------------------------

inline const DictKeysHead* KeysOf(const PyDictObject* dict) noexcept {
  return reinterpret_cast<const DictKeysHead*>(dict->ma_keys);
}

// Calls `visit(key, value)` for each entry of a keys table. Either may be null: entries are deleted
// in place, and the values of a shared table lie elsewhere.
template <typename Visit>
void ForEachEntry(const DictKeysHead* keys, Visit&& visit) {
  const char* const index = reinterpret_cast<const char*>(keys + 1);
  const void* const entries = index + (std::size_t{1} << keys->log2_index_bytes);
  if (keys->kind == 0) {
    const auto* const entry = static_cast<const DictEntry*>(entries);
    for (Py_ssize_t i = 0; i < keys->entries; ++i) visit(entry[i].key, entry[i].value);
  } else {
    const auto* const entry = static_cast<const DictStrEntry*>(entries);
    for (Py_ssize_t i = 0; i < keys->entries; ++i) visit(entry[i].key, entry[i].value);
  }
}

// Calls `visit(object)` for each key and value of a dict; what it is given may be null.
template <typename Visit>
void ForEachInDict(const PyDictObject* dict, Visit&& visit) {
  const DictKeysHead* const keys = KeysOf(dict);
  ForEachEntry(keys, [&](PyObject* key, PyObject* value) {
    visit(key);
    visit(value);
  });
  if (dict->ma_values == nullptr) return;
  const auto* const values = reinterpret_cast<const DictValuesHead*>(dict->ma_values);
  for (Py_ssize_t i = 0; i < keys->entries; ++i) visit(values->values[i]);
}

// Calls `visit(object)` for each value of a dict, and for each key that is no exact str: what
// dict_traverse of Objects/dictobject.c visits. What it is given may be null.
template <typename Visit>
void ForEachTraversedInDict(const PyDictObject* dict, Visit&& visit) {
  const DictKeysHead* const keys = KeysOf(dict);
  if (dict->ma_values != nullptr) {
    const auto* const values = reinterpret_cast<const DictValuesHead*>(dict->ma_values);
    for (Py_ssize_t i = 0; i < keys->entries; ++i) visit(values->values[i]);
    return;
  }
  const bool only_str = keys->kind != 0;
  ForEachEntry(keys, [&](PyObject* key, PyObject* value) {
    visit(value);
    if (!only_str) visit(key);
  });
}

// Calls `visit(key)` for each place of a set's table: null, the dummy of a deleted one, or a key.
template <typename Visit>
void ForEachInSet(const PySetObject* set, Visit&& visit) {
  for (Py_ssize_t i = 0; i <= set->mask; ++i) visit(set->table[i].key);
}

// The time zone of a datetime or a time, which share their head; nullptr without one (the block
// ends before it then).
inline PyObject* TimezoneOfDateTime(PyObject* object) noexcept {
  const auto* const value = reinterpret_cast<PyDateTime_DateTime*>(object);
  return value->hastzinfo != 0 ? value->tzinfo : nullptr;
}
inline PyObject* TimezoneOfTime(PyObject* object) noexcept {
  const auto* const value = reinterpret_cast<PyDateTime_Time*>(object);
  return value->hastzinfo != 0 ? value->tzinfo : nullptr;
}
// The second pass through the hour that a change of time repeats.
inline bool IsFoldedDateTime(PyObject* object) noexcept {
  const auto* const value = reinterpret_cast<PyDateTime_DateTime*>(object);
  return value->hastzinfo != 0 && value->fold != 0;
}
inline bool IsFoldedTime(PyObject* object) noexcept {
  const auto* const value = reinterpret_cast<PyDateTime_Time*>(object);
  return value->hastzinfo != 0 && value->fold != 0;
}

inline PyObject** ItemsOfTuple(PyObject* tuple) noexcept {
  return reinterpret_cast<PyTupleObject*>(tuple)->ob_item;
}

// The attribute names that instances of a class share, or nullptr. Precondition: a heap type.
inline const DictKeysHead* SharedKeysOf(PyTypeObject* type) noexcept {
  return reinterpret_cast<const DictKeysHead*>(
      reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys);
}

// Calls `visit(name, value)` for each attribute that an instance has of its own, slots aside, in
// the order of its `__dict__`, which is not made for it. `visit` may not touch the instance.
template <typename Visit>
void ForEachAttribute(PyObject* object, Visit&& visit) {
  const DictValuesHead* const values = ValuesWithoutDict(object);
  if (values == nullptr) {
    PyObject* const dict = InstanceDictOf(object);
    Py_ssize_t position = 0;
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    while (dict != nullptr && PyDict_Next(dict, &position, &name, &value) != 0) visit(name, value);
    return;
  }
  const DictKeysHead* const keys = SharedKeysOf(Py_TYPE(object));
  const char* const index = reinterpret_cast<const char*>(keys + 1);
  const auto* const entries =
      reinterpret_cast<const DictStrEntry*>(index + (std::size_t{1} << keys->log2_index_bytes));
  for (std::size_t i = 0; i < CountOfValues(values); ++i) {
    const std::size_t place = PlaceOfValue(values, i);
    if (values->values[place] != nullptr) visit(entries[place].key, values->values[place]);
  }
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_WORDS_H_
