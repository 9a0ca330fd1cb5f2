// Fields: what every word of an object is, for any type: exact C types from the table
// (exact_types.cc), what the interpreter puts before an object, slots, instance dicts and weak
// reference lists from the type itself.
//
// Read by warming, by explaining a copied page by the name of the field, and by tests. Needs the
// GIL; runs no Python code and creates no object, except LayoutTable.
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_FIELDS_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_FIELDS_H_

#include <string>
#include <vector>

#include "python/layout/types.h"

namespace frozen_arena {

struct TypeFields {
  std::vector<Field>
      fields;   // ascending by offset, not overlapping; names live as long as the type
  Items items;  // what follows them in a variable-sized object
};

// May throw std::bad_alloc.
TypeFields FieldsOf(PyTypeObject* type);

struct FieldName {
  std::string
      name;  // "hash", "items[3]", "gc_next", "slot" of __slots__; "offset 72" where nobody knows
  FieldKind kind;
};

// What the byte at `offset` of `object` belongs to. `object` is read for its form (an ASCII str has
// its data where another one has its UTF-8 pointer), so it must be alive, or a copy of the bytes of
// one that is. May throw std::bad_alloc.
FieldName FieldAt(PyObject* object, std::ptrdiff_t offset);

// For Python: a list of (name, kind, offset, size), ascending by offset; "items[]" for what
// repeats, with the size of one. A new reference, or nullptr with an exception set.
PyObject* LayoutTable(PyObject* type);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_FIELDS_H_
