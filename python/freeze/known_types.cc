#include "python/freeze/known_types.h"

#include <array>
#include <cstring>
#include <string_view>
#include <unordered_set>

namespace frozen_arena {
namespace {

using std::string_view;

// Static types of the interpreter, whose names have no module.
constexpr string_view kBuiltins[] = {"object",
                                     "NoneType",
                                     "ellipsis",
                                     "NotImplementedType",
                                     "NoDefaultType",
                                     "Token.MISSING",
                                     "sentinel",
                                     "bool",
                                     "int",
                                     "float",
                                     "complex",
                                     "str",
                                     "bytes",
                                     "bytearray",
                                     "tuple",
                                     "list",
                                     "dict",
                                     "frozendict",
                                     "set",
                                     "frozenset",
                                     "range",
                                     "slice",
                                     "type",
                                     "super",
                                     "property",
                                     "staticmethod",
                                     "classmethod",
                                     "function",
                                     "builtin_function_or_method",
                                     "builtin_method",
                                     "method",
                                     "instancemethod",
                                     "code",
                                     "cell",
                                     "module",
                                     "moduledef",
                                     "mappingproxy",
                                     "getset_descriptor",
                                     "member_descriptor",
                                     "method_descriptor",
                                     "wrapper_descriptor",
                                     "classmethod_descriptor",
                                     "method-wrapper",
                                     "memoryview",
                                     "managedbuffer",
                                     "memory_iterator",
                                     "dict_keys",
                                     "dict_values",
                                     "dict_items",
                                     "odict_keys",
                                     "odict_values",
                                     "odict_items",
                                     "dict_keyiterator",
                                     "dict_valueiterator",
                                     "dict_itemiterator",
                                     "dict_reversekeyiterator",
                                     "dict_reversevalueiterator",
                                     "dict_reverseitemiterator",
                                     "odict_iterator",
                                     "list_iterator",
                                     "list_reverseiterator",
                                     "tuple_iterator",
                                     "set_iterator",
                                     "str_iterator",
                                     "str_ascii_iterator",
                                     "bytes_iterator",
                                     "bytearray_iterator",
                                     "range_iterator",
                                     "longrange_iterator",
                                     "iterator",
                                     "callable_iterator",
                                     "generic_alias_iterator",
                                     "line_iterator",
                                     "positions_iterator",
                                     "enumerate",
                                     "reversed",
                                     "zip",
                                     "map",
                                     "filter",
                                     "EncodingMap",
                                     "fieldnameiterator",
                                     "formatteriterator",
                                     "symtable entry"};

// Types of modules of the standard library and of NumPy.
constexpr string_view kModules[] = {"_abc._abc_data",
                                    "_csv.Dialect",
                                    "_json.Encoder",
                                    "_json.Scanner",
                                    "_random.Random",
                                    "_sre.SRE_Template",
                                    "_struct.Struct",
                                    "_typing._ConstEvaluator",
                                    "array.array",
                                    "array.arrayiterator",
                                    "ast.AST",
                                    "decimal.Context",
                                    "decimal.ContextManager",
                                    "decimal.Decimal",
                                    "decimal.SignalDictMixin",
                                    "functools.KeyWrapper",
                                    "functools._PlaceholderType",
                                    "functools._lru_cache_wrapper",
                                    "functools._lru_list_elem",
                                    "functools.partial",
                                    "posix.DirEntry",
                                    "re.Match",
                                    "re.Pattern",
                                    "sqlite3.Row",
                                    "unicodedata.UCD",
                                    "weakref.CallableProxyType",
                                    "weakref.ProxyType",
                                    "weakref.ReferenceType",
                                    "xml.etree.ElementTree.Element",
                                    "zoneinfo.ZoneInfo",
                                    "numpy.broadcast",
                                    "numpy.flatiter",
                                    "numpy.ndarray",
                                    "numpy.ufunc"};

// Modules all of whose C types are plain data; with the dot. Cython's own types are called
// _cython_<version>. pandas._libs: block managers, placements, engines, hash tables, time stamps,
// offsets. Seen with pandas 3.1.
constexpr string_view kPrefixes[] = {
    "collections.", "_collections.",       "datetime.",     "itertools.",    "operator.", "typing.",
    "types.",       "string.templatelib.", "numpy.dtypes.", "pandas._libs.", "_cython_"};

// Families: their C subclasses add nothing but data.
constexpr const char* kFamilies[] = {"numpy.generic", "numpy.dtype", "BaseException", "tuple"};

struct NamedReason {
  const char* name;
  Reason reason;
};
constexpr NamedReason kAlways[] = {
    {"generator", Reason::kGenerator},
    {"coroutine", Reason::kGenerator},
    {"async_generator", Reason::kGenerator},
    {"coroutine_wrapper", Reason::kGenerator},
    {"async_generator_asend", Reason::kGenerator},
    {"async_generator_athrow", Reason::kGenerator},
    {"async_generator_wrapped_value", Reason::kGenerator},
    {"anext_awaitable", Reason::kGenerator},
    {"_asyncio.Future", Reason::kGenerator},
    {"_asyncio.Task", Reason::kGenerator},
    {"frame", Reason::kFrame},
    {"traceback", Reason::kFrame},
    {"FrameLocalsProxy", Reason::kFrame},
};
constexpr NamedReason kUsually[] = {
    {"_socket.socket", Reason::kSocket},
    {"_ssl._SSLSocket", Reason::kSocket},
    {"_thread.lock", Reason::kLock},
    {"_thread.RLock", Reason::kLock},
    {"_multiprocessing.SemLock", Reason::kLock},
    {"_queue.SimpleQueue", Reason::kLock},
    {"_thread._ThreadHandle", Reason::kThread},
    {"_thread._local", Reason::kThread},
    {"_thread._localdummy", Reason::kThread},
};

bool IsDotless(const char* name) noexcept { return std::strchr(name, '.') == nullptr; }

const std::unordered_set<string_view>& PlainNames() {
  static const std::unordered_set<string_view> names = [] {
    std::unordered_set<string_view> all(std::begin(kBuiltins), std::end(kBuiltins));
    all.insert(std::begin(kModules), std::end(kModules));
    return all;
  }();
  return names;
}

template <std::size_t kCount>
Reason Lookup(const NamedReason (&table)[kCount], const PyTypeObject* type) noexcept {
  for (const NamedReason& row : table) {
    if (std::strcmp(row.name, type->tp_name) == 0) return row.reason;
  }
  return Reason::kNone;
}

bool IsPythonThread(PyTypeObject* type) noexcept {
  for (; type != nullptr; type = type->tp_base) {
    if (std::strcmp(type->tp_name, "Thread") != 0 || !HasFlag(type, Py_TPFLAGS_HEAPTYPE)) continue;
    PyObject* const module = PyDict_GetItemString(DictOfType(type), "__module__");
    return module != nullptr && PyUnicode_Check(module) &&
           PyUnicode_CompareWithASCIIString(module, "threading") == 0;
  }
  return false;
}

}  // namespace

bool IsPlainData(PyTypeObject* c_type) {
  const char* const name = c_type->tp_name;
  // A heap type can call itself anything; the interpreter's own dotless ones are static.
  if (IsDotless(name) && HasFlag(c_type, Py_TPFLAGS_HEAPTYPE)) return false;
  if (PlainNames().contains(name)) return true;
  for (const string_view prefix : kPrefixes) {
    if (string_view(name).starts_with(prefix)) return true;
  }
  for (const char* const family : kFamilies) {
    if (AncestorNamed(c_type, family) != nullptr) return true;
  }
  return false;
}

Reason AlwaysMortal(PyTypeObject* c_type) noexcept { return Lookup(kAlways, c_type); }

Reason UsuallyMortal(PyTypeObject* type, PyTypeObject* c_type) noexcept {
  if (AncestorNamed(c_type, "_io._IOBase") != nullptr) return Reason::kFile;
  const Reason named = Lookup(kUsually, c_type);
  if (named != Reason::kNone) return named;
  return IsPythonThread(type) ? Reason::kThread : Reason::kNone;
}

bool IsCachedWeakly(PyTypeObject* c_type) noexcept {
  return std::strcmp(c_type->tp_name, "zoneinfo.ZoneInfo") == 0;
}

}  // namespace frozen_arena
