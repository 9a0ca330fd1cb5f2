#include "python/image/key_hash.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "python/layout/types.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

constexpr int kDeepest = 16;              // of tuples in tuples; below that it counts as unknown
constexpr std::uint8_t kNotANumber = 12;  // MPD_NAN | MPD_SNAN of Decimal (mpdecimal.h)

KeyHash Worse(KeyHash one, KeyHash other) { return std::max(one, other); }

bool IsNan(PyObject* object, const PyTypeObject* type) {
  if (type == &PyFloat_Type) return std::isnan(PyFloat_AS_DOUBLE(object));
  const Py_complex value = reinterpret_cast<PyComplexObject*>(object)->cval;
  return std::isnan(value.real) || std::isnan(value.imag);
}

KeyHash OfExactType(PyObject* object, std::string_view name) {
  if (name == "datetime.datetime" || name == "datetime.date" || name == "datetime.time" ||
      name == "datetime.timedelta")
    return KeyHash::kContent;
  if (name != "decimal.Decimal") return KeyHash::kUnknown;
  const bool nan = (reinterpret_cast<DecimalFields*>(object)->flags & kNotANumber) != 0;
  return nan ? KeyHash::kAddress : KeyHash::kContent;
}

KeyHash Kind(PyObject* object, int depth) {
  PyTypeObject* const type = Py_TYPE(object);
  if (type == &PyUnicode_Type || type == &PyBytes_Type || type == &PyLong_Type ||
      type == &PyBool_Type)
    return KeyHash::kContent;
  if (type == &PyFloat_Type || type == &PyComplex_Type)  // the hash of a NaN is its address
    return IsNan(object, type) ? KeyHash::kAddress : KeyHash::kContent;
  if (object == Py_None) return kHasImmortal ? KeyHash::kContent : KeyHash::kUnknown;
  if (depth == kDeepest) return KeyHash::kUnknown;
  KeyHash worst = KeyHash::kContent;
  if (PyTuple_Check(object) && type->tp_hash == PyTuple_Type.tp_hash) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i)
      worst = Worse(worst, Kind(PyTuple_GET_ITEM(object, i), depth + 1));
    return worst;
  }
  if (type == &PyFrozenSet_Type) {
    ForEachInSet(reinterpret_cast<PySetObject*>(object), [&](PyObject* item) {
      if (item != nullptr) worst = Worse(worst, Kind(item, depth + 1));
    });
    return worst;
  }
  if (type->tp_hash == PyBaseObject_Type.tp_hash) {
    // Static types, and what else the interpreter has one of, lie where they lay if it does.
    const bool is_static = PyType_Check(object) ? !HasFlag(reinterpret_cast<PyTypeObject*>(object),
                                                           Py_TPFLAGS_HEAPTYPE)
                                                : object == Py_Ellipsis;
    return is_static ? KeyHash::kUnknown : KeyHash::kAddress;
  }
  const TypeLayout* const layout = LayoutOfExactType(type);
  return layout == nullptr ? KeyHash::kUnknown : OfExactType(object, layout->tp_name);
}

}  // namespace

KeyHash KindOfHash(PyObject* object) { return Kind(object, 0); }

}  // namespace frozen_arena
