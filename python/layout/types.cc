#include "python/layout/types.h"

#include <cstring>

namespace frozen_arena {

const char* NameOf(FieldKind kind) noexcept {
  switch (kind) {
    case FieldKind::kCount:
      return "count";
    case FieldKind::kFlags:
      return "flags";
    case FieldKind::kType:
      return "type";
    case FieldKind::kGcLink:
      return "gc link";
    case FieldKind::kHash:
      return "hash";
    case FieldKind::kSize:
      return "size";
    case FieldKind::kReference:
      return "reference";
    case FieldKind::kBuffer:
      return "buffer";
    case FieldKind::kCachedPointer:
      return "cached pointer";
    case FieldKind::kWeakrefList:
      return "weakref list";
    case FieldKind::kDictPointer:
      return "dict pointer";
    case FieldKind::kInternState:
      return "intern state";
    case FieldKind::kVersion:
      return "version";
    case FieldKind::kState:
      return "state";
    case FieldKind::kData:
      return "data";
  }
  return "unknown";
}

const TypeLayout* LayoutOfExactType(PyTypeObject* type) noexcept {
  const bool needs_dot = HasFlag(type, Py_TPFLAGS_HEAPTYPE);
  if (needs_dot && std::strchr(type->tp_name, '.') == nullptr) return nullptr;
  for (const TypeLayout& layout : ExactTypes()) {
    if (std::strcmp(layout.tp_name, type->tp_name) != 0) continue;
    return layout.basicsize == 0 || layout.basicsize == type->tp_basicsize ? &layout : nullptr;
  }
  return nullptr;
}

const TypeLayout* LayoutOfNearestType(PyTypeObject* type, PyTypeObject** found) noexcept {
  for (; type != nullptr; type = type->tp_base) {
    const TypeLayout* const layout = LayoutOfExactType(type);
    if (layout == nullptr) continue;
    *found = type;
    return layout;
  }
  *found = nullptr;
  return nullptr;
}

destructor SubtypeDealloc() {
  static destructor known = nullptr;
  if (known != nullptr) return known;
  PyObject* const probe =
      PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(){}", "_probe");
  if (probe == nullptr) return nullptr;
  known = reinterpret_cast<PyTypeObject*>(probe)->tp_dealloc;
  Py_DECREF(probe);
  return known;
}

PyTypeObject* BestCBase(PyTypeObject* type) noexcept {
  const destructor subtype_dealloc = SubtypeDealloc();
  while (type->tp_base != nullptr && type->tp_dealloc == subtype_dealloc) type = type->tp_base;
  return type;
}

PyTypeObject* AncestorNamed(PyTypeObject* type, const char* name) noexcept {
  while (type != nullptr && std::strcmp(type->tp_name, name) != 0) type = type->tp_base;
  return type;
}

std::string FullName(PyTypeObject* type) {
  if (!HasFlag(type, Py_TPFLAGS_HEAPTYPE)) return type->tp_name;
  std::string name;
  PyObject* const dict = DictOfType(type);
  PyObject* const module = dict == nullptr ? nullptr : PyDict_GetItemString(dict, "__module__");
  if (module != nullptr && PyUnicode_Check(module)) {
    const char* const text = PyUnicode_AsUTF8(module);
    if (text != nullptr && std::strcmp(text, "builtins") != 0) name.append(text).append(".");
  }
  PyObject* const qualname = reinterpret_cast<PyHeapTypeObject*>(type)->ht_qualname;
  const char* const text = PyUnicode_AsUTF8(qualname);
  PyErr_Clear();  // a name with a lone surrogate
  return name.append(text == nullptr ? type->tp_name : text);
}

}  // namespace frozen_arena
