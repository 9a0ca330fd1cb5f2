// The table: what each word of an exact C type is, on the version that this is compiled for.
// Offsets come from the interpreter's headers; where there is no header, from the structures at the
// end of object_compat.h.
#include <array>

#include "python/layout/types.h"
// Only after Python.h.
#include <datetime.h>

namespace frozen_arena {
namespace {

// The bracketed size is that of a member of `Struct`, not of an object.
#define FZA_FIELD(Struct, member, name, kind)                                     \
  Field {                                                                         \
    name, FieldKind::kind, static_cast<std::int32_t>(offsetof(Struct, member)),   \
        static_cast<std::uint32_t>(sizeof(static_cast<Struct*>(nullptr)->member)) \
  }

constexpr std::uint32_t kWord = sizeof(void*);
constexpr Field kObSize = FZA_FIELD(PyVarObject, ob_size, "size", kSize);

constexpr std::array kInt = {
    Field{kIntHasTag ? "tag" : "size", FieldKind::kSize, offsetof(PyVarObject, ob_size), kWord}};
constexpr std::array kFloat = {FZA_FIELD(PyFloatObject, ob_fval, "value", kData)};
constexpr std::array kComplex = {FZA_FIELD(PyComplexObject, cval, "value", kData)};
constexpr std::array kStr = {
    FZA_FIELD(PyUnicodeObject, _base._base.length, "length", kSize),
    FZA_FIELD(PyUnicodeObject, _base._base.hash, "hash", kHash),
    FZA_FIELD(PyUnicodeObject, _base._base.state, "state", kInternState),
};
// ob_shash, which is spelt by its place because its name is deprecated.
constexpr std::array kBytes = {kObSize,
                               Field{"hash", FieldKind::kHash, sizeof(PyVarObject), kWord}};
static_assert(offsetof(PyBytesObject, ob_sval) == sizeof(PyVarObject) + sizeof(Py_hash_t));
constexpr std::array kByteArray = {
    kObSize,
    FZA_FIELD(PyByteArrayObject, ob_alloc, "allocated", kSize),
    FZA_FIELD(PyByteArrayObject, ob_bytes, "bytes", kBuffer),
    FZA_FIELD(PyByteArrayObject, ob_start, "start", kState),
    FZA_FIELD(PyByteArrayObject, ob_exports, "exports", kState),
};
constexpr Field kTupleHash = {"hash", FieldKind::kHash, sizeof(PyVarObject), kWord};
constexpr std::array kTuple = {kObSize, kTupleHasHash ? kTupleHash : kObSize};
constexpr std::array kList = {
    kObSize,
    FZA_FIELD(PyListObject, ob_item, "items", kBuffer),
    FZA_FIELD(PyListObject, allocated, "allocated", kSize),
};
// The word between `used` and `keys` has had three names.
#define FZA_DICT_FIELDS(Struct, prefix)                                                      \
  FZA_FIELD(Struct, prefix ma_used, "used", kSize),                                          \
      Field{"version", FieldKind::kVersion, offsetof(PyDictObject, ma_keys) - kWord, kWord}, \
      FZA_FIELD(Struct, prefix ma_keys, "keys", kBuffer),                                    \
      FZA_FIELD(Struct, prefix ma_values, "values", kBuffer)
constexpr std::array kDict = {FZA_DICT_FIELDS(PyDictObject, )};
constexpr std::array kDefaultDict = {
    FZA_DICT_FIELDS(DefaultDictFields, dict.),
    FZA_FIELD(DefaultDictFields, default_factory, "default_factory", kReference),
};
constexpr std::array kOrderedDict = {
    FZA_DICT_FIELDS(OrderedDictFields, dict.),
    FZA_FIELD(OrderedDictFields, first, "first", kBuffer),
    FZA_FIELD(OrderedDictFields, last, "last", kBuffer),
    FZA_FIELD(OrderedDictFields, fast_nodes, "fast_nodes", kBuffer),
    FZA_FIELD(OrderedDictFields, fast_nodes_size, "fast_nodes_size", kSize),
    FZA_FIELD(OrderedDictFields, state, "state", kState),
    FZA_FIELD(OrderedDictFields, instance_dict, "dict", kDictPointer),
    FZA_FIELD(OrderedDictFields, weakrefs, "weakrefs", kWeakrefList),
};
constexpr std::array kFrozenDict = {
    FZA_DICT_FIELDS(FrozenDictFields, dict.),
    FZA_FIELD(FrozenDictFields, hash, "hash", kHash),
};
constexpr std::array kSet = {
    FZA_FIELD(PySetObject, fill, "fill", kSize),
    FZA_FIELD(PySetObject, used, "used", kSize),
    FZA_FIELD(PySetObject, mask, "mask", kSize),
    FZA_FIELD(PySetObject, table, "table", kBuffer),
    FZA_FIELD(PySetObject, hash, "hash", kHash),
    FZA_FIELD(PySetObject, finger, "finger", kState),
    FZA_FIELD(PySetObject, weakreflist, "weakrefs", kWeakrefList),
};
constexpr std::array kRange = {
    FZA_FIELD(RangeFields, start, "start", kReference),
    FZA_FIELD(RangeFields, stop, "stop", kReference),
    FZA_FIELD(RangeFields, step, "step", kReference),
    FZA_FIELD(RangeFields, length, "length", kReference),
};
constexpr std::array kSlice = {
    FZA_FIELD(PySliceObject, start, "start", kReference),
    FZA_FIELD(PySliceObject, stop, "stop", kReference),
    FZA_FIELD(PySliceObject, step, "step", kReference),
};
constexpr std::array kMemoryView = {
    kObSize,
    FZA_FIELD(PyMemoryViewObject, mbuf, "managed_buffer", kReference),
    FZA_FIELD(PyMemoryViewObject, hash, "hash", kHash),
    FZA_FIELD(PyMemoryViewObject, flags, "flags", kState),
    FZA_FIELD(PyMemoryViewObject, exports, "exports", kState),
    FZA_FIELD(PyMemoryViewObject, view, "view", kData),
    FZA_FIELD(PyMemoryViewObject, weakreflist, "weakrefs", kWeakrefList),
};
constexpr std::array kManagedBuffer = {
    FZA_FIELD(_PyManagedBufferObject, flags, "flags", kState),
    FZA_FIELD(_PyManagedBufferObject, exports, "exports", kState),
    FZA_FIELD(_PyManagedBufferObject, master, "master", kData),
};
constexpr std::array kFunction = {
    FZA_FIELD(PyFunctionObject, func_globals, "globals", kReference),
    FZA_FIELD(PyFunctionObject, func_builtins, "builtins", kReference),
    FZA_FIELD(PyFunctionObject, func_name, "name", kReference),
    FZA_FIELD(PyFunctionObject, func_qualname, "qualname", kReference),
    FZA_FIELD(PyFunctionObject, func_code, "code", kReference),
    FZA_FIELD(PyFunctionObject, func_defaults, "defaults", kReference),
    FZA_FIELD(PyFunctionObject, func_kwdefaults, "kwdefaults", kReference),
    FZA_FIELD(PyFunctionObject, func_closure, "closure", kReference),
    FZA_FIELD(PyFunctionObject, func_doc, "doc", kReference),
    FZA_FIELD(PyFunctionObject, func_dict, "dict", kDictPointer),
    FZA_FIELD(PyFunctionObject, func_weakreflist, "weakrefs", kWeakrefList),
    FZA_FIELD(PyFunctionObject, func_module, "module", kReference),
    FZA_FIELD(PyFunctionObject, func_annotations, "annotations", kReference),
    FZA_FIELD(PyFunctionObject, vectorcall, "vectorcall", kState),
    FZA_FIELD(PyFunctionObject, func_version, "version", kVersion),
};
constexpr std::array kCode = {
    kObSize,
    FZA_FIELD(PyCodeObject, co_consts, "consts", kReference),
    FZA_FIELD(PyCodeObject, co_names, "names", kReference),
    FZA_FIELD(PyCodeObject, co_exceptiontable, "exceptiontable", kReference),
    FZA_FIELD(PyCodeObject, co_localsplusnames, "localsplusnames", kReference),
    FZA_FIELD(PyCodeObject, co_localspluskinds, "localspluskinds", kReference),
    FZA_FIELD(PyCodeObject, co_filename, "filename", kReference),
    FZA_FIELD(PyCodeObject, co_name, "name", kReference),
    FZA_FIELD(PyCodeObject, co_qualname, "qualname", kReference),
    FZA_FIELD(PyCodeObject, co_linetable, "linetable", kReference),
    FZA_FIELD(PyCodeObject, co_weakreflist, "weakrefs", kWeakrefList),
    Field{"cached", FieldKind::kCachedPointer, kCodeCacheOffset, kWord},
    FZA_FIELD(PyCodeObject, co_extra, "extra", kBuffer),
};
constexpr std::array kMethod = {
    FZA_FIELD(PyMethodObject, im_func, "func", kReference),
    FZA_FIELD(PyMethodObject, im_self, "self", kReference),
    FZA_FIELD(PyMethodObject, im_weakreflist, "weakrefs", kWeakrefList),
};
constexpr std::array kBuiltinFunction = {
    FZA_FIELD(PyCFunctionObject, m_self, "self", kReference),
    FZA_FIELD(PyCFunctionObject, m_module, "module", kReference),
    FZA_FIELD(PyCFunctionObject, m_weakreflist, "weakrefs", kWeakrefList),
};
constexpr std::array kModule = {FZA_FIELD(ModuleHead, dict, "dict", kReference)};
constexpr std::array kCell = {FZA_FIELD(PyCellObject, ob_ref, "contents", kReference)};
constexpr std::array kWeakref = {
    FZA_FIELD(PyWeakReference, wr_object, "object", kState),
    FZA_FIELD(PyWeakReference, wr_callback, "callback", kReference),
    FZA_FIELD(PyWeakReference, hash, "hash", kHash),
    FZA_FIELD(PyWeakReference, wr_prev, "previous", kState),
    FZA_FIELD(PyWeakReference, wr_next, "next", kState),
};
constexpr std::array kException = {
    FZA_FIELD(PyBaseExceptionObject, dict, "dict", kDictPointer),
    FZA_FIELD(PyBaseExceptionObject, args, "args", kReference),
    FZA_FIELD(PyBaseExceptionObject, notes, "notes", kReference),
    FZA_FIELD(PyBaseExceptionObject, traceback, "traceback", kReference),
    FZA_FIELD(PyBaseExceptionObject, context, "context", kReference),
    FZA_FIELD(PyBaseExceptionObject, cause, "cause", kReference),
};
constexpr std::array kType = {
    kObSize,
    FZA_FIELD(PyTypeObject, tp_flags, "flags", kState),
    FZA_FIELD(PyTypeObject, tp_dict, "dict", kReference),
    FZA_FIELD(PyTypeObject, tp_base, "base", kReference),
    FZA_FIELD(PyTypeObject, tp_bases, "bases", kReference),
    FZA_FIELD(PyTypeObject, tp_mro, "mro", kReference),
    FZA_FIELD(PyTypeObject, tp_cache, "cache", kReference),
    FZA_FIELD(PyTypeObject, tp_subclasses, "subclasses", kBuffer),
    FZA_FIELD(PyTypeObject, tp_weaklist, "weakrefs", kWeakrefList),
    FZA_FIELD(PyTypeObject, tp_version_tag, "version", kVersion),
    FZA_FIELD(PyHeapTypeObject, ht_name, "name", kReference),
    FZA_FIELD(PyHeapTypeObject, ht_slots, "slots", kReference),
    FZA_FIELD(PyHeapTypeObject, ht_qualname, "qualname", kReference),
    FZA_FIELD(PyHeapTypeObject, ht_cached_keys, "cached_keys", kBuffer),
    FZA_FIELD(PyHeapTypeObject, ht_module, "module", kReference),
    FZA_FIELD(PyHeapTypeObject, _spec_cache, "specialization", kVersion),
};
constexpr std::array kDelta = {
    FZA_FIELD(PyDateTime_Delta, hashcode, "hash", kHash),
    FZA_FIELD(PyDateTime_Delta, days, "days", kData),
    FZA_FIELD(PyDateTime_Delta, seconds, "seconds", kData),
    FZA_FIELD(PyDateTime_Delta, microseconds, "microseconds", kData),
};
constexpr std::array kDate = {
    FZA_FIELD(PyDateTime_Date, hashcode, "hash", kHash),
    FZA_FIELD(PyDateTime_Date, data, "data", kData),
};
// The time zone is there only when `hastzinfo` says so: without one the block is shorter than
// tp_basicsize.
constexpr std::array kTime = {
    FZA_FIELD(PyDateTime_Time, hashcode, "hash", kHash),
    FZA_FIELD(PyDateTime_Time, hastzinfo, "hastzinfo", kData),
    FZA_FIELD(PyDateTime_Time, data, "data", kData),
    FZA_FIELD(PyDateTime_Time, fold, "fold", kData),
    FZA_FIELD(PyDateTime_Time, tzinfo, "tzinfo", kReference),
};
constexpr std::array kDateTime = {
    FZA_FIELD(PyDateTime_DateTime, hashcode, "hash", kHash),
    FZA_FIELD(PyDateTime_DateTime, hastzinfo, "hastzinfo", kData),
    FZA_FIELD(PyDateTime_DateTime, data, "data", kData),
    FZA_FIELD(PyDateTime_DateTime, fold, "fold", kData),
    FZA_FIELD(PyDateTime_DateTime, tzinfo, "tzinfo", kReference),
};
constexpr std::array kTimezone = {
    FZA_FIELD(TimezoneFields, offset, "offset", kReference),
    FZA_FIELD(TimezoneFields, name, "name", kReference),
};
constexpr std::array kDecimal = {
    FZA_FIELD(DecimalFields, hash, "hash", kHash),
    FZA_FIELD(DecimalFields, flags, "flags", kState),
    FZA_FIELD(DecimalFields, exponent, "exponent", kData),
    FZA_FIELD(DecimalFields, digits, "digits", kSize),
    FZA_FIELD(DecimalFields, length, "length", kSize),
    FZA_FIELD(DecimalFields, allocated, "allocated", kSize),
    FZA_FIELD(DecimalFields, data, "words", kBuffer),
    FZA_FIELD(DecimalFields, inline_data, "inline_words", kData),
};
constexpr std::array kDeque = {
    kObSize,
    FZA_FIELD(DequeFields, left_block, "left_block", kBuffer),
    FZA_FIELD(DequeFields, right_block, "right_block", kBuffer),
    FZA_FIELD(DequeFields, left_index, "left_index", kState),
    FZA_FIELD(DequeFields, right_index, "right_index", kState),
    FZA_FIELD(DequeFields, state, "state", kState),
    FZA_FIELD(DequeFields, maxlen, "maxlen", kData),
    FZA_FIELD(DequeFields, free_blocks_count, "free_blocks_count", kSize),
    FZA_FIELD(DequeFields, free_blocks, "free_blocks", kBuffer),
    FZA_FIELD(DequeFields, weakrefs, "weakrefs", kWeakrefList),
};
constexpr std::array kArray = {
    kObSize,
    FZA_FIELD(ArrayFields, items, "items", kBuffer),
    FZA_FIELD(ArrayFields, allocated, "allocated", kSize),
    FZA_FIELD(ArrayFields, description, "description", kData),
    FZA_FIELD(ArrayFields, weakrefs, "weakrefs", kWeakrefList),
    FZA_FIELD(ArrayFields, exports, "exports", kState),
};
constexpr std::array kNdarray = {
    FZA_FIELD(NdarrayFields, data, "data", kBuffer),
    FZA_FIELD(NdarrayFields, dimensions, "ndim", kData),
    FZA_FIELD(NdarrayFields, shape, "shape", kBuffer),
    FZA_FIELD(NdarrayFields, strides, "strides", kBuffer),
    FZA_FIELD(NdarrayFields, base, "base", kReference),
    FZA_FIELD(NdarrayFields, dtype, "dtype", kReference),
    FZA_FIELD(NdarrayFields, flags, "flags", kState),
    FZA_FIELD(NdarrayFields, weakrefs, "weakrefs", kWeakrefList),
    FZA_FIELD(NdarrayFields, buffer_info, "buffer_info", kCachedPointer),
};

constexpr Py_ssize_t kItem = sizeof(PyObject*);
constexpr std::int32_t kDigits = sizeof(PyVarObject);
constexpr std::int32_t kTupleItems = offsetof(PyTupleObject, ob_item);

constexpr std::array kExactTypes = {
    TypeLayout{"object", sizeof(PyObject), {}, {}},
    TypeLayout{"NoneType", 0, {}, {}},
    TypeLayout{"int", kDigits, kInt, {"digits", FieldKind::kData, kDigits, sizeof(digit)}},
    TypeLayout{"float", sizeof(PyFloatObject), kFloat, {}},
    TypeLayout{"complex", sizeof(PyComplexObject), kComplex, {}},
    TypeLayout{"str", sizeof(PyUnicodeObject), kStr, {}},
    TypeLayout{"bytes",
               offsetof(PyBytesObject, ob_sval) + 1,
               kBytes,
               {"bytes", FieldKind::kData, offsetof(PyBytesObject, ob_sval), 1}},
    TypeLayout{"bytearray", sizeof(PyByteArrayObject), kByteArray, {}},
    TypeLayout{"tuple", kTupleItems, kTuple, {"items", FieldKind::kReference, kTupleItems, kItem}},
    TypeLayout{"list", sizeof(PyListObject), kList, {}},
    TypeLayout{"dict", sizeof(PyDictObject), kDict, {}},
    TypeLayout{"frozendict", sizeof(FrozenDictFields), kFrozenDict, {}},
    TypeLayout{"set",
               sizeof(PySetObject),
               kSet,
               {"table", FieldKind::kReference, offsetof(PySetObject, smalltable), kItem}},
    TypeLayout{"frozenset",
               sizeof(PySetObject),
               kSet,
               {"table", FieldKind::kReference, offsetof(PySetObject, smalltable), kItem}},
    TypeLayout{"range", sizeof(RangeFields), kRange, {}},
    TypeLayout{"slice", sizeof(PySliceObject), kSlice, {}},
    TypeLayout{"memoryview", offsetof(PyMemoryViewObject, ob_array), kMemoryView, {}},
    TypeLayout{"managedbuffer", sizeof(_PyManagedBufferObject), kManagedBuffer, {}},
    TypeLayout{"function", sizeof(PyFunctionObject), kFunction, {}},
    TypeLayout{"code",
               offsetof(PyCodeObject, co_code_adaptive),
               kCode,
               {"bytecode", FieldKind::kVersion, offsetof(PyCodeObject, co_code_adaptive), 2}},
    TypeLayout{"method", sizeof(PyMethodObject), kMethod, {}},
    TypeLayout{"builtin_function_or_method", sizeof(PyCFunctionObject), kBuiltinFunction, {}},
    TypeLayout{"module", 0, kModule, {}},
    TypeLayout{"cell", sizeof(PyCellObject), kCell, {}},
    TypeLayout{"weakref.ReferenceType", sizeof(PyWeakReference), kWeakref, {}},
    TypeLayout{"weakref.ProxyType", sizeof(PyWeakReference), kWeakref, {}},
    TypeLayout{"weakref.CallableProxyType", sizeof(PyWeakReference), kWeakref, {}},
    TypeLayout{"BaseException", sizeof(PyBaseExceptionObject), kException, {}},
    TypeLayout{"type", sizeof(PyHeapTypeObject), kType, {}},
    TypeLayout{"datetime.timedelta", sizeof(PyDateTime_Delta), kDelta, {}},
    TypeLayout{"datetime.date", sizeof(PyDateTime_Date), kDate, {}},
    TypeLayout{"datetime.time", sizeof(PyDateTime_Time), kTime, {}},
    TypeLayout{"datetime.datetime", sizeof(PyDateTime_DateTime), kDateTime, {}},
    TypeLayout{"datetime.timezone", sizeof(TimezoneFields), kTimezone, {}},
    TypeLayout{"decimal.Decimal", sizeof(DecimalFields), kDecimal, {}},
    TypeLayout{"collections.deque", sizeof(DequeFields), kDeque, {}},
    TypeLayout{"collections.defaultdict", sizeof(DefaultDictFields), kDefaultDict, {}},
    TypeLayout{"collections.OrderedDict", sizeof(OrderedDictFields), kOrderedDict, {}},
    TypeLayout{"array.array", sizeof(ArrayFields), kArray, {}},
    TypeLayout{"numpy.ndarray", 0, kNdarray, {}},
};

}  // namespace

std::span<const TypeLayout> ExactTypes() noexcept { return kExactTypes; }

}  // namespace frozen_arena
