#include "python/pack/leaves.h"

#include <cmath>
#include <cstring>
#include <string_view>

#include "python/layout/words.h"

namespace frozen_arena {
namespace {

PyDateTime_CAPI* DateApi() noexcept {
  // Not imported for this: without the module there are no dates.
  if (PyDateTimeAPI == nullptr) {
    PyObject* const name = PyUnicode_FromString("datetime");
    PyObject* const module = name == nullptr ? nullptr : PyImport_GetModule(name);
    Py_XDECREF(name);
    if (module != nullptr) {
      PyDateTime_IMPORT;
      Py_DECREF(module);
    }
    PyErr_Clear();
  }
  return PyDateTimeAPI;
}

// What only addition makes anew: there is no public call that copies an int of any size.
PyObject* CopyLongInt(PyObject* value) {
  PyObject* const one = PyLong_FromLong(1);
  PyObject* const next = one == nullptr ? nullptr : PyNumber_Add(value, one);
  PyObject* const copy = next == nullptr ? nullptr : PyNumber_Subtract(next, one);
  Py_XDECREF(next);
  Py_XDECREF(one);
  return copy;
}

PyObject* CopyInt(PyObject* value) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
  return overflow == 0 ? PyLong_FromLongLong(small) : CopyLongInt(value);
}

PyObject* CopyStr(PyObject* text) {
  const Py_ssize_t length = PyUnicode_GetLength(text);  // 3.11: makes it ready
  if (length < 0) return nullptr;
  return PyUnicode_FromKindAndData(static_cast<int>(PyUnicode_KIND(text)), PyUnicode_DATA(text),
                                   length);
}

std::uint64_t Mix(std::uint64_t hash, std::uint64_t word) noexcept {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 29;
}

template <typename T>
std::string_view BytesOf(const T* first, std::size_t count) noexcept {
  return {reinterpret_cast<const char*>(first), count * sizeof(T)};
}

// The words of an object that make its value, as bytes. A NaN has none: two of them are not the
// same thing.
bool ValueOf(PyObject* copy, std::string_view* value) noexcept {
  const PyTypeObject* const type = Py_TYPE(copy);
  if (type == &PyFloat_Type) {
    const double& number = reinterpret_cast<PyFloatObject*>(copy)->ob_fval;
    *value = BytesOf(&number, 1);
    return !std::isnan(number);
  }
  if (type == &PyComplex_Type) {
    const Py_complex& number = reinterpret_cast<PyComplexObject*>(copy)->cval;
    *value = BytesOf(&number, 1);
    return !std::isnan(number.real) && !std::isnan(number.imag);
  }
  if (type == &PyUnicode_Type) {
    *value = BytesOf(static_cast<const char*>(PyUnicode_DATA(copy)),
                     static_cast<std::size_t>(PyUnicode_GET_LENGTH(copy)) * PyUnicode_KIND(copy));
    return true;
  }
  if (type == &PyBytes_Type) {
    *value = BytesOf(PyBytes_AS_STRING(copy), static_cast<std::size_t>(PyBytes_GET_SIZE(copy)));
    return true;
  }
  if (PyTuple_Check(copy)) {
    *value = BytesOf(ItemsOfTuple(copy), static_cast<std::size_t>(Py_SIZE(copy)));
    return true;
  }
  if (type == PyDateTimeAPI->DateType) {
    *value = BytesOf(reinterpret_cast<PyDateTime_Date*>(copy)->data, _PyDateTime_DATE_DATASIZE);
    return true;
  }
  if (type == PyDateTimeAPI->DateTimeType) {
    *value =
        BytesOf(reinterpret_cast<PyDateTime_DateTime*>(copy)->data, _PyDateTime_DATETIME_DATASIZE);
    return true;
  }
  if (type == PyDateTimeAPI->TimeType) {
    *value = BytesOf(reinterpret_cast<PyDateTime_Time*>(copy)->data, _PyDateTime_TIME_DATASIZE);
    return true;
  }
  *value = BytesOf(&reinterpret_cast<PyDateTime_Delta*>(copy)->days, 3);
  return true;
}

// What else tells two values of a type apart.
std::uint64_t FormOf(PyObject* copy) noexcept {
  const PyTypeObject* const type = Py_TYPE(copy);
  if (type == &PyUnicode_Type) return PyUnicode_KIND(copy);
  if (PyDateTimeAPI == nullptr) return 0;
  std::uint64_t fold = 0;
  if (type == PyDateTimeAPI->DateTimeType) fold = PyDateTime_DATE_GET_FOLD(copy);
  if (type == PyDateTimeAPI->TimeType) fold = PyDateTime_TIME_GET_FOLD(copy);
  if (!IsDate(type)) return 0;
  return reinterpret_cast<std::uintptr_t>(TimezoneOf(copy)) | fold;
}

std::uint64_t HashOfInt(PyObject* value) noexcept {
  return static_cast<std::uint64_t>(PyLong_Type.tp_hash(value));
}

// 0: not to be shared.
std::uint64_t HashOf(PyObject* copy) noexcept {
  const auto seed = reinterpret_cast<std::uintptr_t>(Py_TYPE(copy));
  std::uint64_t hash = 0;
  if (Py_TYPE(copy) == &PyLong_Type) {
    hash = Mix(seed, HashOfInt(copy));
  } else {
    std::string_view value;
    if (!ValueOf(copy, &value)) return 0;
    hash = Mix(Mix(seed, FormOf(copy)), std::hash<std::string_view>()(value));
  }
  return hash | 1;
}

bool AreSame(PyObject* one, PyObject* other) noexcept {
  if (Py_TYPE(one) != Py_TYPE(other)) return false;
  if (Py_TYPE(one) == &PyLong_Type) {
    PyObject* const equal = PyLong_Type.tp_richcompare(one, other, Py_EQ);
    Py_XDECREF(equal);
    return equal == Py_True;
  }
  std::string_view value;
  std::string_view other_value;
  return ValueOf(one, &value) && ValueOf(other, &other_value) && value == other_value &&
         FormOf(one) == FormOf(other);
}

}  // namespace

bool IsDate(const PyTypeObject* type) noexcept {
  const PyDateTime_CAPI* const api = DateApi();
  return api != nullptr && (type == api->DateType || type == api->DateTimeType ||
                            type == api->TimeType || type == api->DeltaType);
}

PyObject* TimezoneOf(PyObject* date) noexcept {
  if (Py_TYPE(date) == PyDateTimeAPI->DateTimeType) return TimezoneOfDateTime(date);
  if (Py_TYPE(date) == PyDateTimeAPI->TimeType) return TimezoneOfTime(date);
  return nullptr;
}

PyObject* CopyLeaf(PyObject* leaf) {
  const PyTypeObject* const type = Py_TYPE(leaf);
  if (type == &PyUnicode_Type) return CopyStr(leaf);
  if (type == &PyLong_Type) return CopyInt(leaf);
  if (type == &PyFloat_Type) return PyFloat_FromDouble(PyFloat_AS_DOUBLE(leaf));
  if (type == &PyBytes_Type) {
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(leaf), PyBytes_GET_SIZE(leaf));
  }
  return PyComplex_FromCComplex(reinterpret_cast<PyComplexObject*>(leaf)->cval);
}

PyObject* CopyDate(PyObject* date, PyObject* timezone) {
  PyTypeObject* const type = Py_TYPE(date);
  PyDateTime_CAPI* const api = PyDateTimeAPI;
  PyObject* const zone = timezone == nullptr ? Py_None : timezone;
  if (type == api->DateType) {
    return api->Date_FromDate(PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date),
                              PyDateTime_GET_DAY(date), type);
  }
  if (type == api->DateTimeType) {
    return api->DateTime_FromDateAndTimeAndFold(
        PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date),
        PyDateTime_DATE_GET_HOUR(date), PyDateTime_DATE_GET_MINUTE(date),
        PyDateTime_DATE_GET_SECOND(date), PyDateTime_DATE_GET_MICROSECOND(date), zone,
        PyDateTime_DATE_GET_FOLD(date), type);
  }
  if (type == api->TimeType) {
    return api->Time_FromTimeAndFold(
        PyDateTime_TIME_GET_HOUR(date), PyDateTime_TIME_GET_MINUTE(date),
        PyDateTime_TIME_GET_SECOND(date), PyDateTime_TIME_GET_MICROSECOND(date), zone,
        PyDateTime_TIME_GET_FOLD(date), type);
  }
  return api->Delta_FromDelta(PyDateTime_DELTA_GET_DAYS(date), PyDateTime_DELTA_GET_SECONDS(date),
                              PyDateTime_DELTA_GET_MICROSECONDS(date), 0, type);
}

PyObject* EqualCopies::FindOrAdd(PyObject* copy) {
  const std::uint64_t hash = HashOf(copy);
  if (hash == 0) return copy;
  if (used_ * 2 >= table_.size()) Grow();
  const std::size_t mask = table_.size() - 1;
  std::size_t place = hash >> 1 & mask;
  for (; table_[place].copy != nullptr; place = (place + 1) & mask) {
    if (table_[place].hash == hash && AreSame(table_[place].copy, copy)) return table_[place].copy;
  }
  table_[place] = {hash, copy};
  ++used_;
  return copy;
}

void EqualCopies::Grow() {
  constexpr std::size_t kSmallest = 1024;
  const std::size_t size = table_.empty() ? kSmallest : table_.size() * 2;
  ScratchVector<Entry> larger(size, Entry{0, nullptr});
  for (const Entry& entry : table_) {
    if (entry.copy == nullptr) continue;
    std::size_t place = entry.hash >> 1 & (size - 1);
    while (larger[place].copy != nullptr) place = (place + 1) & (size - 1);
    larger[place] = entry;
  }
  table_.swap(larger);
}

}  // namespace frozen_arena
