#include "python/layout/fields.h"

#include <algorithm>
#include <new>

namespace frozen_arena {
namespace {

constexpr std::uint32_t kWord = sizeof(void*);

// Collects fields; the first one to claim a place keeps it.
class FieldList {
 public:
  void Add(const Field& field) {
    for (const Field& other : fields_) {
      const bool before = field.offset + static_cast<std::int32_t>(field.size) <= other.offset;
      const bool behind = field.offset >= other.offset + static_cast<std::int32_t>(other.size);
      if (!before && !behind) return;
    }
    fields_.push_back(field);
  }
  void AddWord(const char* name, FieldKind kind, std::ptrdiff_t offset) {
    Add({name, kind, static_cast<std::int32_t>(offset), kWord});
  }
  std::vector<Field> Sorted() && {
    std::sort(fields_.begin(), fields_.end(),
              [](const Field& a, const Field& b) { return a.offset < b.offset; });
    return std::move(fields_);
  }

 private:
  std::vector<Field> fields_;
};

void AddPrefix(PyTypeObject* type, FieldList* list) {
  if (HasFlag(type, Py_TPFLAGS_HAVE_GC)) {
    constexpr auto kHead = -static_cast<std::ptrdiff_t>(sizeof(GcHead));
    list->AddWord("gc_next", FieldKind::kGcLink, kHead + std::ptrdiff_t{offsetof(GcHead, next)});
    list->AddWord("gc_previous", FieldKind::kGcLink,
                  kHead + std::ptrdiff_t{offsetof(GcHead, previous)});
  }
  if (HasFlag(type, Py_TPFLAGS_MANAGED_DICT)) {
    list->AddWord(kDictOrValues ? "dict_or_values" : "dict", FieldKind::kDictPointer,
                  kManagedDictOffset);
    if (kDictBesideValues) list->AddWord("values", FieldKind::kBuffer, kManagedValuesOffset);
  }
  if (HasFlag(type, kManagedWeakrefFlag)) {
    list->AddWord("weakrefs", FieldKind::kWeakrefList, kManagedWeakrefOffset);
  }
}

void AddHead(FieldList* list) {
  if constexpr (kCountHasFlags) {
    list->Add({"count", FieldKind::kCount, 0, 4});
    list->Add({"overflow", FieldKind::kCount, 4, 2});
    list->Add({"flags", FieldKind::kFlags, 6, 2});
  } else {
    list->AddWord("count", FieldKind::kCount, offsetof(PyObject, ob_refcnt));
  }
  list->AddWord("type", FieldKind::kType, offsetof(PyObject, ob_type));
}

// Slots of classes, and what C types tell of themselves.
void AddMembers(PyTypeObject* type, FieldList* list) {
  for (PyTypeObject* at = type; at != nullptr; at = at->tp_base) {
    if (at->tp_members == nullptr) continue;
    for (const PyMemberDef* member = at->tp_members; member->name != nullptr; ++member) {
      if (member->type != T_OBJECT && member->type != T_OBJECT_EX) continue;
      list->AddWord(member->name, FieldKind::kReference, member->offset);
    }
  }
}

bool IsStr(const PyTypeObject* type) noexcept { return HasFlag(type, Py_TPFLAGS_UNICODE_SUBCLASS); }

// The words that only a str other than compact ASCII has.
void AddStrTail(bool compact, FieldList* list) {
  list->AddWord("utf8_length", FieldKind::kSize, offsetof(PyCompactUnicodeObject, utf8_length));
  list->AddWord("utf8", FieldKind::kCachedPointer, offsetof(PyCompactUnicodeObject, utf8));
  if (!compact) list->AddWord("data", FieldKind::kBuffer, offsetof(PyUnicodeObject, data));
}

TypeFields Collect(PyTypeObject* type) {
  FieldList list;
  AddPrefix(type, &list);
  AddHead(&list);
  TypeFields result;
  PyTypeObject* found = nullptr;
  const TypeLayout* const layout = LayoutOfNearestType(type, &found);
  if (layout != nullptr) {
    for (const Field& field : layout->fields) list.Add(field);
    result.items = layout->items;
  }
  AddMembers(type, &list);
  if (type->tp_dictoffset > 0) {
    list.AddWord("dict", FieldKind::kDictPointer, type->tp_dictoffset);
  }
  if (type->tp_weaklistoffset > 0) {
    list.AddWord("weakrefs", FieldKind::kWeakrefList, type->tp_weaklistoffset);
  }
  if (HasFlag(type, kInlineValuesFlag)) {
    const auto head = static_cast<std::int32_t>(type->tp_basicsize);
    constexpr auto kValues = static_cast<std::int32_t>(offsetof(DictValuesHead, values));
    if (kValues != 0) list.Add({"values_head", FieldKind::kSize, head, kValues});
    result.items = {"values", FieldKind::kReference, head + kValues, kWord};
  }
  result.fields = std::move(list).Sorted();
  return result;
}

const Field* FieldCovering(const std::vector<Field>& fields, std::ptrdiff_t offset) noexcept {
  for (const Field& field : fields) {
    if (offset >= field.offset && offset < field.offset + static_cast<std::ptrdiff_t>(field.size)) {
      return &field;
    }
  }
  return nullptr;
}

FieldName NameInStr(PyObject* object, std::ptrdiff_t offset) {
  const auto* const str = reinterpret_cast<PyASCIIObject*>(object);
  const bool compact = str->state.compact != 0;
  const bool ascii = str->state.ascii != 0;
  FieldList tail;
  if (!compact || !ascii) AddStrTail(compact, &tail);
  const std::vector<Field> fields = std::move(tail).Sorted();
  const Field* const field = FieldCovering(fields, offset);
  if (field != nullptr) return {field->name, field->kind};
  return {"characters", FieldKind::kData};
}

}  // namespace

TypeFields FieldsOf(PyTypeObject* type) {
  TypeFields result = Collect(type);
  if (IsStr(type)) {
    FieldList list;
    for (const Field& field : result.fields) list.Add(field);
    // Instances of subclasses are never compact.
    AddStrTail(type == &PyUnicode_Type, &list);
    result.fields = std::move(list).Sorted();
  }
  return result;
}

FieldName FieldAt(PyObject* object, std::ptrdiff_t offset) {
  PyTypeObject* const type = Py_TYPE(object);
  const TypeFields known = Collect(type);
  const Field* const field = FieldCovering(known.fields, offset);
  if (field != nullptr) return {field->name, field->kind};
  if (IsStr(type) && offset >= 0) return NameInStr(object, offset);
  if (known.items.name != nullptr && offset >= known.items.offset) {
    const std::ptrdiff_t index = (offset - known.items.offset) / known.items.stride;
    return {std::string(known.items.name) + "[" + std::to_string(index) + "]", known.items.kind};
  }
  return {"offset " + std::to_string(offset), FieldKind::kData};
}

PyObject* LayoutTable(PyObject* type) {
  if (!PyType_Check(type)) {
    PyErr_Format(PyExc_TypeError, "a type is needed, not %.100s", Py_TYPE(type)->tp_name);
    return nullptr;
  }
  try {
    TypeFields known = FieldsOf(reinterpret_cast<PyTypeObject*>(type));
    std::string items;
    if (known.items.name != nullptr) {
      items = std::string(known.items.name) + "[]";
      known.fields.push_back(
          {items.c_str(), known.items.kind, known.items.offset, known.items.stride});
    }
    PyObject* const list = PyList_New(0);
    if (list == nullptr) return nullptr;
    for (const Field& field : known.fields) {
      PyObject* const row = Py_BuildValue("ssiI", field.name, NameOf(field.kind), field.offset,
                                          static_cast<unsigned>(field.size));
      const bool added = row != nullptr && PyList_Append(list, row) == 0;
      Py_XDECREF(row);
      if (added) continue;
      Py_DECREF(list);
      return nullptr;
    }
    return list;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace frozen_arena
