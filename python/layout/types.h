// Types: what can be said of a type without running code of its own, and the table of exact C
// types.
//
// The functions need the GIL, create no object (but for SubtypeDealloc, once) and call no Python
// code.
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_TYPES_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "python/layout/object_compat.h"

namespace frozen_arena {

enum class FieldKind : std::uint8_t {
  kCount,          // reference count
  kFlags,          // object flags beside the count (3.14+)
  kType,           // reference to the type
  kGcLink,         // neighbours in the collector's list
  kHash,           // cached hash, -1 while unknown
  kSize,           // number of items, or of bytes
  kReference,      // owned reference to an object, may be null
  kBuffer,         // owned block without an object header: items, table, digits
  kCachedPointer,  // filled in by reading: the UTF-8 form, cached objects
  kWeakrefList,    // weak references to this object
  kDictPointer,    // the instance dict, made when asked for
  kInternState,    // how a str is interned, with the flags of its form
  kVersion,        // tags of the interpreter's specialising machinery
  kState,          // other words that change in use: exports, fingers, indices
  kData,           // the value
};
const char* NameOf(FieldKind kind) noexcept;

// `offset` counts from the object; what lies before the object has a negative one.
struct Field {
  const char* name;
  FieldKind kind;
  std::int32_t offset;
  std::uint32_t size;
};

// What follows the fixed fields of a variable-sized object, `stride` bytes each; no name: nothing
// does.
struct Items {
  const char* name = nullptr;
  FieldKind kind = FieldKind::kData;
  std::int32_t offset = 0;
  std::uint32_t stride = 0;
};

struct TypeLayout {
  const char* tp_name;
  Py_ssize_t
      basicsize;  // as the interpreter must report it, or 0 where it may grow between versions
  std::span<const Field> fields;
  Items items;
};

// The table's entry for a C type, or nullptr. Static types go by name alone, heap types by the
// dotted name that their module gave them; both must have the size that the table was written for.
const TypeLayout* LayoutOfExactType(PyTypeObject* type) noexcept;
// The same for the nearest ancestor that has an entry, `type` included. `found` receives that
// ancestor.
const TypeLayout* LayoutOfNearestType(PyTypeObject* type, PyTypeObject** found) noexcept;
// All entries, for the test that holds them against the interpreter.
std::span<const TypeLayout> ExactTypes() noexcept;

inline bool HasFlag(const PyTypeObject* type, unsigned long flag) noexcept {
  return (type->tp_flags & flag) != 0;
}

// Bytes that the interpreter puts before an instance: links of the collector and the pre-header.
inline std::size_t PrefixSize(const PyTypeObject* type) noexcept {
  return (HasFlag(type, Py_TPFLAGS_HAVE_GC) ? sizeof(GcHead) : 0) +
         (HasFlag(type, kPreHeaderFlags) ? 2 * sizeof(void*) : 0);
}

// The destructor that every class made by a class statement has; nullptr with an exception set when
// there was no memory to find it out. C types without a destructor of their own have it too.
destructor SubtypeDealloc();

// The nearest ancestor that is not such a class: whose C code made the memory of an instance.
PyTypeObject* BestCBase(PyTypeObject* type) noexcept;

// An ancestor, `type` included, whose tp_name is `name`; nullptr if there is none.
PyTypeObject* AncestorNamed(PyTypeObject* type, const char* name) noexcept;

// module.qualname; the bare name for builtins' types. May throw std::bad_alloc.
std::string FullName(PyTypeObject* type);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_TYPES_H_
