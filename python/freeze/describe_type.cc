#include "python/freeze/describe_type.h"

#include <cstring>

#include "python/freeze/known_types.h"

namespace frozen_arena {
namespace {

bool IsNamed(const PyTypeObject* type, const char* name) noexcept {
  return std::strcmp(type->tp_name, name) == 0;
}

const Field* HashFieldOf(const TypeLayout& layout) noexcept {
  for (const Field& field : layout.fields) {
    if (field.kind == FieldKind::kHash) return &field;
  }
  return nullptr;
}

// By the type whose C code computes and caches the hash. A frozendict is left out: its values may
// be anything.
Warm WarmingFor(const PyTypeObject* cached_by) noexcept {
  if (cached_by == &PyUnicode_Type) return Warm::kStr;
  if (cached_by == &PyTuple_Type) return Warm::kTuple;
  if (cached_by == &PyMemoryView_Type) return Warm::kMemoryView;
  if (IsNamed(cached_by, "datetime.datetime")) return Warm::kDateTime;
  if (IsNamed(cached_by, "datetime.time")) return Warm::kTime;
  if (IsNamed(cached_by, "decimal.Decimal")) return Warm::kDecimal;
  if (cached_by == &_PyWeakref_RefType) return Warm::kWeakref;
  const bool plain = cached_by == &PyBytes_Type || cached_by == &PyFrozenSet_Type ||
                     IsNamed(cached_by, "datetime.date") ||
                     IsNamed(cached_by, "datetime.timedelta");
  return plain ? Warm::kHash : Warm::kNothing;
}

// Records (void) may hold objects.
bool IsNumPyNumber(const TypeInfo& info) noexcept {
  return info.type == info.c_base && AncestorNamed(info.type, "numpy.generic") != nullptr &&
         AncestorNamed(info.type, "numpy.void") == nullptr;
}

void DescribeHash(TypeInfo* info) noexcept {
  PyTypeObject* cached_by = nullptr;
  const TypeLayout* const layout = LayoutOfNearestType(info->type, &cached_by);
  if (layout != nullptr) {
    const Field* const field = HashFieldOf(*layout);
    if (field != nullptr) {
      info->warm = WarmingFor(cached_by);
      info->hash_offset = field->offset;
      info->hash = cached_by->tp_hash;
    }
  }
  // The hash that a dict would compute: of the class that overrides it last.
  const hashfunc used = info->type->tp_hash;
  if (info->warm == Warm::kMemoryView || info->warm == Warm::kWeakref) return;
  if (info->warm != Warm::kNothing && used == info->hash) {
    info->hash_safety = info->warm == Warm::kDateTime ? HashSafety::kDateTime
                        : info->warm == Warm::kTime   ? HashSafety::kTime
                        : info->warm == Warm::kTuple  ? HashSafety::kTuple
                                                      : HashSafety::kSafe;
    return;
  }
  const bool safe = used == PyBaseObject_Type.tp_hash || used == PyType_Type.tp_hash ||
                    used == PyLong_Type.tp_hash || used == PyFloat_Type.tp_hash ||
                    used == PyComplex_Type.tp_hash || used == PyRange_Type.tp_hash ||
                    used == PyCFunction_Type.tp_hash || used == Py_TYPE(Py_None)->tp_hash ||
                    IsNumPyNumber(*info);
  if (safe) info->hash_safety = HashSafety::kSafe;
}

References ReferencesOf(const TypeInfo& info) noexcept {
  const PyTypeObject* const type = info.type;
  if (type == &PyTuple_Type) return References::kTuple;
  if (type == &PyList_Type) return References::kList;
  if (type == &PyDict_Type) return References::kDict;
  if (type == &PySet_Type || type == &PyFrozenSet_Type) return References::kSet;
  if (IsNamed(info.c_base, "datetime.datetime") && !info.has_gc) return References::kDateTime;
  if (IsNamed(info.c_base, "datetime.time") && !info.has_gc) return References::kTime;
  if (info.has_gc) return References::kGeneral;
  // What is left has no collector. These hold no reference, or hold text in the place of words. A
  // bytearray of 3.15 does hold a bytes object, and still builds it: not to be told of keeps that
  // one out.
  constexpr const char* kLeaves[] = {"int",
                                     "bool",
                                     "float",
                                     "complex",
                                     "str",
                                     "bytes",
                                     "bytearray",
                                     "NoneType",
                                     "object",
                                     "datetime.date",
                                     "datetime.timedelta",
                                     "decimal.Decimal"};
  for (const char* const leaf : kLeaves) {
    if (IsNamed(info.c_base, leaf)) return References::kNone;
  }
  return References::kGeneral;
}

Special SpecialOf(const TypeInfo& info) noexcept {
  const bool frozen_dict =
      FrozenDictType() != nullptr && PyType_IsSubtype(info.type, FrozenDictType()) != 0;
  if (HasFlag(info.type, Py_TPFLAGS_DICT_SUBCLASS) || frozen_dict) return Special::kDict;
  if (HasFlag(info.type, Py_TPFLAGS_TYPE_SUBCLASS)) return Special::kType;
  if (info.type == &PyCode_Type) return Special::kCode;
  return AncestorNamed(info.c_base, "numpy.ndarray") != nullptr ? Special::kNdarray
                                                                : Special::kNone;
}

PerObject QuestionFor(const TypeInfo& info) noexcept {
  if (PyType_IsSubtype(info.type, &_PyWeakref_RefType) != 0 || info.type == &_PyWeakref_ProxyType ||
      info.type == &_PyWeakref_CallableProxyType) {
    return PerObject::kWeakref;
  }
  if (info.type == &PyMemoryView_Type) return PerObject::kMemoryView;
  if (IsNamed(info.type, "managedbuffer")) return PerObject::kManagedBuffer;
  if (HasFlag(info.type, Py_TPFLAGS_TYPE_SUBCLASS) || IsCachedWeakly(info.c_base)) {
    return PerObject::kNothing;
  }
  return info.type->tp_weaklistoffset != 0 ? PerObject::kWeakrefTarget : PerObject::kNothing;
}

// On 3.11 an untracked object dies like any other, so its destructor must untrack with the call
// that checks. Those of builtin containers and of Python classes do; that of functions, for one,
// does not.
bool MayUntrack(const TypeInfo& info) noexcept {
  if (!info.has_gc || HasFlag(info.type, Py_TPFLAGS_TYPE_SUBCLASS)) return false;
  if (kHasImmortal || info.is_python_class) return true;
  return info.type == &PyTuple_Type || info.type == &PyList_Type || info.type == &PyDict_Type ||
         info.type == &PySet_Type || info.type == &PyFrozenSet_Type ||
         IsNamed(info.type, "collections.deque");
}

}  // namespace

void DescribeType(TypeInfo* info) noexcept {
  PyTypeObject* const type = info->type;
  info->c_base = BestCBase(type);
  info->prefix = static_cast<std::uint8_t>(PrefixSize(type));
  info->has_gc = HasFlag(type, Py_TPFLAGS_HAVE_GC);
  info->is_python_class = type->tp_dealloc == SubtypeDealloc();
  info->may_be_half_built =
      HasFlag(type, Py_TPFLAGS_UNICODE_SUBCLASS | Py_TPFLAGS_BYTES_SUBCLASS |
                        Py_TPFLAGS_TUPLE_SUBCLASS) ||
      PyType_IsSubtype(type, &PyFrozenSet_Type) != 0 ||
      (FrozenDictType() != nullptr && PyType_IsSubtype(type, FrozenDictType()) != 0);
  info->untrack = MayUntrack(*info);
  info->has_finalizer = type->tp_finalize != nullptr || type->tp_del != nullptr;
  info->has_instance_dict = info->is_python_class && !HasFlag(type, Py_TPFLAGS_TYPE_SUBCLASS) &&
                            (type->tp_dictoffset != 0 || HasFlag(type, Py_TPFLAGS_MANAGED_DICT));
  info->per_object = QuestionFor(*info);
  info->references = ReferencesOf(*info);
  info->special = SpecialOf(*info);
  DescribeHash(info);
  if (HasFlag(type, Py_TPFLAGS_LIST_SUBCLASS)) info->warm = Warm::kList;
}

}  // namespace frozen_arena
