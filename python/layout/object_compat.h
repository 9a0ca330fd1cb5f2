// What differs between interpreters, as constants and types: the only file of python/ that knows
// PY_VERSION_HEX. Everything else asks `if constexpr (kHasImmortal)`.
//
// The structures at the end are those that CPython keeps to itself. internals.cc compares them with
// the interpreter's internal headers at compile time; those that stand in no header at all are
// compared with tp_basicsize at run time (types.cc).
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_OBJECT_COMPAT_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_OBJECT_COMPAT_H_

#include <Python.h>
// The member type codes T_OBJECT and T_OBJECT_EX, which carry the prefix Py_ only from 3.12 on.
#include <structmember.h>

#include <cstddef>
#include <cstdint>

#if PY_VERSION_HEX < 0x030B0000
#error "frozen arena needs CPython 3.11 or newer"
#endif
#ifdef Py_GIL_DISABLED
#error \
    "frozen arena cannot run on a free-threaded build: its collector finds objects by their allocator"
#endif

namespace frozen_arena {

inline constexpr bool kAtLeast312 = PY_VERSION_HEX >= 0x030C0000;
inline constexpr bool kAtLeast313 = PY_VERSION_HEX >= 0x030D0000;
inline constexpr bool kAtLeast314 = PY_VERSION_HEX >= 0x030E0000;
inline constexpr bool kAtLeast315 = PY_VERSION_HEX >= 0x030F0000;

// Whether the interpreter that runs is a debug build. Asked at run time: an extension built with
// the headers of a release build runs in a debug build of the same version, and a compiler that
// follows the symbolic links between the two header folders builds just that.
inline bool IsDebugInterpreter() noexcept { return PySys_GetObject("gettotalrefcount") != nullptr; }

// Reference counts. From 3.14 on the word holds a 32-bit count, 16 bits of overflow and 16 bits of
// flags.
inline constexpr bool kHasImmortal = kAtLeast312;
inline constexpr bool kCountHasFlags = kAtLeast314;
// 3.12 and 3.13: INCREF leaves exactly this value alone, one less is written to. 3.14+: from 3 <<
// 30 up INCREF leaves it alone, below 2^31 DECREF no longer does: 2^29 of slack both ways.
inline constexpr std::uint32_t kImmortalCount = kCountHasFlags ? 0xE0000000u : 0xFFFFFFFFu;
// Without it the evaluation stack of 3.14+ closes the reference by counting down, whatever the
// count.
inline constexpr std::uint16_t kImmortalFlag = 1;

inline constexpr bool kTupleHasHash = kAtLeast314;
inline constexpr bool kHasFrozenDict = kAtLeast315;
inline constexpr bool kIntHasTag = kAtLeast312;

// What lies before the GC links of an instance, and which type flags say that it is there.
inline constexpr bool kHasManagedWeakrefs = kAtLeast312;
// 3.11 keeps dict and values in two words, 3.12 both in one tagged word, 3.13+ only the dict.
inline constexpr bool kDictBesideValues = !kAtLeast312;
inline constexpr bool kDictOrValues = kAtLeast312 && !kAtLeast313;
// 3.13+: values lie behind the object, announced by a type flag.
inline constexpr bool kHasInlineValues = kAtLeast313;
#if PY_VERSION_HEX >= 0x030C0000
inline constexpr unsigned long kPreHeaderFlags = Py_TPFLAGS_PREHEADER;
inline constexpr unsigned long kManagedWeakrefFlag = Py_TPFLAGS_MANAGED_WEAKREF;
#else
inline constexpr unsigned long kPreHeaderFlags = Py_TPFLAGS_MANAGED_DICT;
inline constexpr unsigned long kManagedWeakrefFlag = 0;
#endif
#if PY_VERSION_HEX >= 0x030D0000
inline constexpr unsigned long kInlineValuesFlag = Py_TPFLAGS_INLINE_VALUES;
#else
inline constexpr unsigned long kInlineValuesFlag = 0;
#endif
inline constexpr std::ptrdiff_t kManagedDictOffset = -24;
inline constexpr std::ptrdiff_t kManagedWeakrefOffset = -32;
inline constexpr std::ptrdiff_t kManagedValuesOffset = -32;  // 3.11

// 3.11: a str may have its characters as wchar_t too, beside the others or as them. -1: no longer.
#if PY_VERSION_HEX < 0x030C0000
inline constexpr std::ptrdiff_t kStrWideOffset = offsetof(PyASCIIObject, wstr);
inline constexpr std::ptrdiff_t kStrWideLengthOffset =
    offsetof(PyCompactUnicodeObject, wstr_length);
#else
inline constexpr std::ptrdiff_t kStrWideOffset = -1;
inline constexpr std::ptrdiff_t kStrWideLengthOffset = -1;
#endif

// Resumed generators are noticed by an evaluation function (bindings/resume_watch.h) where there is
// no sys.monitoring (PEP 669). A macro: the functions it is made of exist in 3.11 only.
#if PY_VERSION_HEX < 0x030C0000
#define FZA_WATCH_RESUMES 1
#else
#define FZA_WATCH_RESUMES 0
#endif

// Interned state of a str: not interned, mortal, immortal.
inline constexpr unsigned kInternedMortal = 1;
inline constexpr unsigned kInternedImmortal = 2;

// Frames owned by something above this have no locals (entry frames of the C stack).
inline constexpr int kLastFrameOwnerWithLocals = 2;
// 3.14+ keeps tags in the low bits of the references in a frame.
inline constexpr std::uintptr_t kUncountedTag = 1;  // Py_TAG_REFCNT of pycore_stackref.h
inline constexpr std::uintptr_t kStackReferenceMask =
    kAtLeast314 ? ~std::uintptr_t{7} : ~std::uintptr_t{0};

// PyUnstable_GC_VisitObjects, from 3.12 on; before, internals.cc walks the collector's lists.
inline constexpr bool kHasGcVisit = kAtLeast312;
inline void CallGcVisit([[maybe_unused]] int (*visitor)(PyObject* object, void* context),
                        [[maybe_unused]] void* context) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  PyUnstable_GC_VisitObjects(visitor, context);
#endif
}

// 3.14.0 to 3.14.4; later patches went back to generations.
inline bool HasIncrementalCollector() noexcept {
  return Py_Version >= 0x030E0000 && Py_Version < 0x030E0500;
}

// The dict of a type: static builtin types keep theirs in the interpreter from 3.12 on. Borrowed.
inline PyObject* DictOfType(PyTypeObject* type) {
#if PY_VERSION_HEX >= 0x030C0000
  PyObject* const dict = PyType_GetDict(type);  // a new reference, and the type keeps its own
  Py_XDECREF(dict);
  return dict;
#else
  return type->tp_dict;
#endif
}

// The frozendict type, or nullptr before 3.15.
inline PyTypeObject* FrozenDictType() {
#if PY_VERSION_HEX >= 0x030F0000
  return &PyFrozenDict_Type;
#else
  return nullptr;
#endif
}

// Objects that a code object caches, in the order of nothing in particular; nullptr where there is
// none.
struct CachedOfCode {
  PyObject* code;
  PyObject* varnames;
  PyObject* cellvars;
  PyObject* freevars;
};
#if PY_VERSION_HEX >= 0x030C0000
inline constexpr std::size_t kCodeCacheOffset = offsetof(PyCodeObject, _co_cached);
#else
inline constexpr std::size_t kCodeCacheOffset = offsetof(PyCodeObject, _co_code);
#endif
inline CachedOfCode CachedBy(const PyCodeObject* code) {
#if PY_VERSION_HEX >= 0x030C0000
  const _PyCoCached* const cached = code->_co_cached;
  if (cached == nullptr) return {};
  return {cached->_co_code, cached->_co_varnames, cached->_co_cellvars, cached->_co_freevars};
#else
  return {code->_co_code, nullptr, nullptr, nullptr};
#endif
}

// --- Structures of the interpreter that no public header declares
// --------------------------------------

struct GcHead {  // PyGC_Head: 16 bytes before the object; next is zero while untracked
  std::uintptr_t next;
  std::uintptr_t previous;
};
// The two low bits of both links are flags of the collector. No third one: 3.13.18 keeps the heads
// of its lists at addresses that are multiples of four only.
inline constexpr std::uintptr_t kGcLinkMask = ~std::uintptr_t{3};

struct DictKeysHead {  // PyDictKeysObject up to the index table
  Py_ssize_t count;
  std::uint8_t log2_size;
  std::uint8_t log2_index_bytes;
  std::uint8_t kind;  // 0: entries with a hash; otherwise all keys are exact str, entries without
  std::uint32_t version;
  Py_ssize_t usable;
  Py_ssize_t entries;
  // followed by 1 << log2_index_bytes bytes of index, then the entries
};
struct DictEntry {
  Py_hash_t hash;
  PyObject* key;
  PyObject* value;
};
struct DictStrEntry {
  PyObject* key;
  PyObject* value;
};

#if PY_VERSION_HEX >= 0x030D0000
struct DictValuesHead {  // PyDictValues: values of a split table, or of an instance
  std::uint8_t capacity;
  std::uint8_t size;
  std::uint8_t embedded;
  std::uint8_t valid;
  PyObject* values[1];
};
#else
struct DictValuesHead {
  PyObject* values[1];
};
#endif

// How many values were set, and where among them the one lies that was set as number `i`: bytes
// behind the values from 3.13 on, and before them, backwards, until then (Objects/dictobject.c).
inline std::size_t CountOfValues(const DictValuesHead* values) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return values->size;
#else
  return reinterpret_cast<const std::uint8_t*>(values)[-2];
#endif
}
inline std::size_t PlaceOfValue(const DictValuesHead* values, std::size_t i) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  return reinterpret_cast<const std::uint8_t*>(values->values + values->capacity)[i];
#else
  return (reinterpret_cast<const std::uint8_t*>(values) - 3)[-static_cast<std::ptrdiff_t>(i)];
#endif
}

// Below: no header of the interpreter declares these. Modules/ and Objects/ of 3.11.2 to 3.15.2.
struct RangeFields {
  PyObject_HEAD PyObject* start;
  PyObject* stop;
  PyObject* step;
  PyObject* length;
};
struct ModuleHead {
  PyObject_HEAD PyObject* dict;
};
struct TimezoneFields {
  PyObject_HEAD PyObject* offset;
  PyObject* name;
};
struct DecimalFields {
  PyObject_HEAD Py_hash_t hash;
  std::uint8_t flags;
  Py_ssize_t exponent;
  Py_ssize_t digits;
  Py_ssize_t length;
  Py_ssize_t allocated;
  void* data;
  std::uint64_t inline_data[4];
};
struct DequeFields {
  PyObject_VAR_HEAD void* left_block;
  void* right_block;
  Py_ssize_t left_index;
  Py_ssize_t right_index;
  std::size_t state;
  Py_ssize_t maxlen;
  Py_ssize_t free_blocks_count;
  void* free_blocks[16];
  PyObject* weakrefs;
};
struct DequeBlock {
  DequeBlock* left;
  PyObject* items[64];
  DequeBlock* right;
};
struct ArrayFields {
  PyObject_VAR_HEAD void* items;
  Py_ssize_t allocated;
  const void* description;
  PyObject* weakrefs;
  Py_ssize_t exports;
};
struct DefaultDictFields {
  PyDictObject dict;
  PyObject* default_factory;
};
struct OrderedDictFields {
  PyDictObject dict;
  void* first;
  void* last;
  void* fast_nodes;
  Py_ssize_t fast_nodes_size;
  void* resize_sentinel;
  std::size_t state;
  PyObject* instance_dict;
  PyObject* weakrefs;
};
struct OrderedDictNode {
  PyObject* key;
  Py_hash_t hash;
  OrderedDictNode* next;
  OrderedDictNode* previous;
};
struct FrozenDictFields {  // 3.15
  PyDictObject dict;
  Py_hash_t hash;
};

// NumPy 1.x and 2.x: the head of PyArrayObject and of PyArray_Descr.
struct NdarrayFields {
  PyObject_HEAD void* data;
  int dimensions;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  PyObject* base;
  PyObject* dtype;
  int flags;
  PyObject* weakrefs;
  void* buffer_info;
};
inline constexpr int kNdarrayContiguous = 0x1 | 0x2;  // C or Fortran order
inline constexpr int kNdarrayOwnsData = 0x4;
struct DtypeFields {
  PyObject_HEAD PyTypeObject* scalar_type;
  char kind;  // 'O': objects, 'V': a record that may hold some
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_OBJECT_COMPAT_H_
