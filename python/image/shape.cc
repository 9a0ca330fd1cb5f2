#include "python/image/shape.h"

#include <cstring>
#include <string_view>

#include "python/layout/fields.h"
#include "python/layout/types.h"

namespace frozen_arena {
namespace {

// Of exact types, by the name in the table of layouts (layout/exact_types.cc): what that knows has
// the size that it was written for.
Form FormOfExactType(std::string_view name) {
  struct Known {
    std::string_view name;
    Form form;
  };
  constexpr Known kKnown[] = {
      {"str", Form::kStr},
      {"bytes", Form::kBytes},
      {"int", Form::kInt},
      {"float", Form::kBits},
      {"complex", Form::kBits},
      {"datetime.date", Form::kBits},
      {"datetime.timedelta", Form::kBits},
      {"datetime.datetime", Form::kDateTime},
      {"datetime.time", Form::kTime},
      {"decimal.Decimal", Form::kDecimal},
      {"tuple", Form::kTuple},
      {"list", Form::kList},
      {"dict", Form::kDict},
      {"set", Form::kSet},
      {"frozenset", Form::kSet},
      {"range", Form::kFields},
      {"slice", Form::kFields},
      {"datetime.timezone", Form::kFields},
  };
  for (const Known& known : kKnown) {
    if (known.name == name) return known.form;
  }
  return Form::kNamed;
}

bool IsValue(Form form, std::string_view name) {
  return (form != Form::kList && form != Form::kDict && form != Form::kFields &&
          form != Form::kNamed && name != "set") ||
         name == "range" || name == "slice";
}

bool IsNamedTuple(PyTypeObject* type) {
  return BestCBase(type) == &PyTuple_Type && type->tp_basicsize == PyTuple_Type.tp_basicsize &&
         type->tp_dictoffset == 0 && !HasFlag(type, kPreHeaderFlags);
}

// A class whose instances are slots, a managed dict and weak references, each word of which is
// known.
bool IsPlainClass(PyTypeObject* type) {
  if (BestCBase(type) != &PyBaseObject_Type || type->tp_itemsize != 0) return false;
  if (type->tp_finalize != nullptr || type->tp_del != nullptr) return false;
  return HasFlag(type, Py_TPFLAGS_MANAGED_DICT) || type->tp_dictoffset == 0;
}

// False when there is a word that nobody knows.
bool FindReferences(PyTypeObject* type, Shape* shape) {
  std::size_t known = sizeof(PyObject);
  for (const Field& field : FieldsOf(type).fields) {
    if (field.offset < static_cast<std::int32_t>(sizeof(PyObject))) continue;
    if (field.offset >= static_cast<std::int32_t>(shape->size)) continue;  // inline values
    if (field.kind != FieldKind::kReference && field.kind != FieldKind::kWeakrefList) return false;
    if (field.size != sizeof(PyObject*)) return false;
    if (field.kind == FieldKind::kReference) shape->references.push_back(field.offset);
    known += field.size;
  }
  return known == shape->size;
}

Shape MakeShape(PyTypeObject* type) {
  Shape shape;
  shape.prefix = PrefixSize(type);
  shape.size = static_cast<std::size_t>(type->tp_basicsize);
  if (PyType_IsSubtype(type, &PyType_Type) != 0) return shape;
  if (const TypeLayout* const layout = LayoutOfExactType(type)) {
    shape.form = FormOfExactType(layout->tp_name);
    shape.is_value = IsValue(shape.form, layout->tp_name);
  }
  if (shape.form == Form::kNamed && IsNamedTuple(type)) {
    shape.form = Form::kTuple;
    shape.is_value = true;
  } else if (shape.form == Form::kNamed && IsPlainClass(type)) {
    shape.form = Form::kFields;
    shape.has_dict = HasFlag(type, Py_TPFLAGS_MANAGED_DICT);
    shape.has_values = HasFlag(type, kInlineValuesFlag);
  }
  if (shape.form == Form::kFields && !FindReferences(type, &shape)) shape.form = Form::kNamed;
  return shape;
}

}  // namespace

const Shape& Shapes::Of(PyTypeObject* type) {
  if (type == last_type_) return *last_;
  auto found = shapes_.find(type);
  if (found == shapes_.end()) found = shapes_.emplace(type, MakeShape(type)).first;
  last_type_ = type;
  last_ = &found->second;
  return *last_;
}

}  // namespace frozen_arena
