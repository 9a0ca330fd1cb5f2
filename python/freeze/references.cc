#include "python/freeze/references.h"

#include <string_view>

namespace frozen_arena {
namespace {

int TakeTraversed(PyObject* referent, void* sink) {
  static_cast<ReferenceSink*>(sink)->Take(referent, true);
  return 0;
}

// Every word between two addresses, as if it were a reference.
void TakeWords(const void* begin, std::size_t size, bool are_objects, ReferenceSink* sink) {
  for (std::size_t at = 0; at + sizeof(PyObject*) <= size; at += sizeof(PyObject*)) {
    sink->Take(PointerAt<PyObject>(begin, static_cast<std::ptrdiff_t>(at)), are_objects);
  }
}

void TakeCachedOfCode(PyObject* code, ReferenceSink* sink) {
  const CachedOfCode cached = CachedBy(reinterpret_cast<PyCodeObject*>(code));
  for (PyObject* const one : {cached.code, cached.varnames, cached.cellvars, cached.freevars}) {
    sink->Take(one, true);
  }
}

void TakeSharedNames(PyObject* type, ReferenceSink* sink) {
  auto* const heap_type = reinterpret_cast<PyTypeObject*>(type);
  if (!HasFlag(heap_type, Py_TPFLAGS_HEAPTYPE)) return;
  const DictKeysHead* const keys = SharedKeysOf(heap_type);
  if (keys == nullptr) return;
  ForEachEntry(keys, [sink](PyObject* key, PyObject*) { sink->Take(key, true); });
}

// What the table knows of the type, which tp_traverse may not tell: the collector is of no use to a
// range, a time zone, a code object. Not classes: static ones end before the fields of the others.
void TakeFields(PyObject* object, const TypeInfo& info, ReferenceSink* sink) {
  const TypeLayout* const layout = LayoutOfExactType(info.c_base);
  if (layout == nullptr || info.special == Special::kType) return;
  const std::string_view name(layout->tp_name);
  if (name == "datetime.datetime") {
    sink->Take(TimezoneOfDateTime(object), true);
  } else if (name == "datetime.time") {
    sink->Take(TimezoneOfTime(object), true);
  } else {
    for (const Field& field : layout->fields) {
      if (field.kind != FieldKind::kReference) continue;
      sink->Take(PointerAt<PyObject>(object, field.offset), true);
    }
  }
}

// The elements of an array of objects or of records. Views need not be looked at: the owner of the
// data is an object of its own, which they refer to.
void TakeElements(PyObject* array, ReadableMemory* memory, ReferenceSink* sink) {
  const auto* const fields = reinterpret_cast<NdarrayFields*>(array);
  if (fields->data == nullptr || fields->dtype == nullptr) return;
  const char kind = reinterpret_cast<DtypeFields*>(fields->dtype)->kind;
  if (kind != 'O' && kind != 'V') return;
  if ((fields->flags & kNdarrayOwnsData) == 0 || (fields->flags & kNdarrayContiguous) == 0) return;
  std::size_t size = sizeof(PyObject*);
  if (fields->dimensions > 0) {  // the outermost stride spans everything inside it
    const bool c_order = (fields->flags & 1) != 0;
    const int outermost = c_order ? 0 : fields->dimensions - 1;
    size = static_cast<std::size_t>(fields->shape[outermost] * fields->strides[outermost]);
  }
  if (memory->Contains(fields->data, size)) TakeWords(fields->data, size, kind == 'O', sink);
}

}  // namespace

void VisitGeneralReferences(PyObject* object, const TypeInfo& info, ReadableMemory* memory,
                            ReferenceSink* sink) {
  // C code tracks an object when its fields are complete; until then only those of classes may be
  // visited, which begin as zeros.
  if (HasGcHead(object) &&
      (sink->KnowsAll() || IsTracked(object) || info.c_base == &PyBaseObject_Type)) {
    info.type->tp_traverse(object, TakeTraversed, sink);
  }
  const auto size = static_cast<std::size_t>(info.type->tp_basicsize);
  // What a type does not show to the collector it holds for itself. In plain data that is finished;
  // in other types of C code it may be what they are working on, as the buffer of a pickler is.
  // Not so a bytearray, of which a subclass has a collector: the bytes object in it (3.15) is still
  // being changed, and not to be told of keeps it out.
  if (info.reason == Reason::kNone && info.c_base != &PyByteArray_Type && size > sizeof(PyObject) &&
      memory->Contains(object, size)) {
    TakeWords(object + 1, size - sizeof(PyObject), false, sink);
  }
  TakeFields(object, info, sink);
  switch (info.special) {
    case Special::kNone:
      return;
    case Special::kDict:
      ForEachInDict(reinterpret_cast<PyDictObject*>(object),
                    [sink](PyObject* one) { sink->Take(one, true); });
      return;
    case Special::kCode:
      TakeCachedOfCode(object, sink);
      return;
    case Special::kType:
      TakeSharedNames(object, sink);
      return;
    case Special::kNdarray:
      TakeElements(object, memory, sink);
      return;
  }
}

}  // namespace frozen_arena
