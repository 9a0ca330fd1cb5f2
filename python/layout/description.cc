#include "python/layout/description.h"

#include <array>
#include <cstring>
#include <string_view>

#include "python/layout/types.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

struct Constant {
  std::string_view name;
  std::uint64_t value;
};

// The bits of a field of a str's state word.
template <typename SetAll>
std::uint32_t StateMask(SetAll set_all) {
  PyASCIIObject str;
  std::memset(static_cast<void*>(&str), 0, sizeof str);
  set_all(&str);
  std::uint32_t word;
  std::memcpy(&word, reinterpret_cast<const char*>(&str) + offsetof(PyASCIIObject, state),
              sizeof word);
  return word;
}

auto Constants() {
  return std::array{
      Constant{"type_type", reinterpret_cast<std::uintptr_t>(&PyType_Type)},
      Constant{"has_immortal", kHasImmortal},
      Constant{"count_has_flags", kCountHasFlags},
      Constant{"immortal_count", kImmortalCount},
      Constant{"immortal_flag", kImmortalFlag},
      Constant{"ob_type", offsetof(PyObject, ob_type)},
      Constant{"gc_head", sizeof(GcHead)},
      Constant{"gc_next", offsetof(GcHead, next)},
      Constant{"gc_previous", offsetof(GcHead, previous)},
      Constant{"pre_header", 2 * sizeof(void*)},
      Constant{"managed_dict", static_cast<std::uint64_t>(-kManagedDictOffset)},
      Constant{"managed_weakrefs", static_cast<std::uint64_t>(-kManagedWeakrefOffset)},
      Constant{"managed_values",
               kDictBesideValues ? static_cast<std::uint64_t>(-kManagedValuesOffset) : 0},
      Constant{"dict_or_values", kDictOrValues},
      Constant{"tp_name", offsetof(PyTypeObject, tp_name)},
      Constant{"tp_basicsize", offsetof(PyTypeObject, tp_basicsize)},
      Constant{"tp_itemsize", offsetof(PyTypeObject, tp_itemsize)},
      Constant{"tp_flags", offsetof(PyTypeObject, tp_flags)},
      Constant{"tp_base", offsetof(PyTypeObject, tp_base)},
      Constant{"tp_members", offsetof(PyTypeObject, tp_members)},
      Constant{"tp_dict", offsetof(PyTypeObject, tp_dict)},
      Constant{"tp_dictoffset", offsetof(PyTypeObject, tp_dictoffset)},
      Constant{"tp_weaklistoffset", offsetof(PyTypeObject, tp_weaklistoffset)},
      Constant{"ht_qualname", offsetof(PyHeapTypeObject, ht_qualname)},
      Constant{"ht_cached_keys", offsetof(PyHeapTypeObject, ht_cached_keys)},
      Constant{"type_size", sizeof(PyTypeObject)},
      Constant{"heap_type_size", sizeof(PyHeapTypeObject)},
      Constant{"largest_instance", std::uint64_t{1} << 20},
      Constant{"member_size", sizeof(PyMemberDef)},
      Constant{"member_name", offsetof(PyMemberDef, name)},
      Constant{"member_type", offsetof(PyMemberDef, type)},
      Constant{"member_offset", offsetof(PyMemberDef, offset)},
      Constant{"member_object", T_OBJECT},
      Constant{"member_object_ex", T_OBJECT_EX},
      Constant{"flag_heap_type", Py_TPFLAGS_HEAPTYPE},
      Constant{"flag_have_gc", Py_TPFLAGS_HAVE_GC},
      Constant{"flag_ready", Py_TPFLAGS_READY},
      Constant{"flag_managed_dict", Py_TPFLAGS_MANAGED_DICT},
      Constant{"flag_managed_weakrefs", kManagedWeakrefFlag},
      Constant{"flag_pre_header", kPreHeaderFlags},
      Constant{"flag_inline_values", kInlineValuesFlag},
      Constant{"flag_str", Py_TPFLAGS_UNICODE_SUBCLASS},
      Constant{"flag_type", Py_TPFLAGS_TYPE_SUBCLASS},
      Constant{"flag_dict", Py_TPFLAGS_DICT_SUBCLASS},
      Constant{"str_length", offsetof(PyASCIIObject, length)},
      Constant{"str_state", offsetof(PyASCIIObject, state)},
      Constant{"str_ascii_mask", StateMask([](PyASCIIObject* str) { str->state.ascii = 1; })},
      Constant{"str_compact_mask", StateMask([](PyASCIIObject* str) { str->state.compact = 1; })},
      Constant{"str_kind_mask", StateMask([](PyASCIIObject* str) { str->state.kind = 7; })},
      Constant{"str_ascii_size", sizeof(PyASCIIObject)},
      Constant{"str_compact_size", sizeof(PyCompactUnicodeObject)},
      Constant{"str_utf8_length", offsetof(PyCompactUnicodeObject, utf8_length)},
      Constant{"str_utf8", offsetof(PyCompactUnicodeObject, utf8)},
      Constant{"str_data", offsetof(PyUnicodeObject, data)},
      Constant{"dict_keys", offsetof(PyDictObject, ma_keys)},
      Constant{"dict_values", offsetof(PyDictObject, ma_values)},
      Constant{"keys_size", sizeof(DictKeysHead)},
      Constant{"keys_count", offsetof(DictKeysHead, count)},
      Constant{"keys_log2_size", offsetof(DictKeysHead, log2_size)},
      Constant{"keys_log2_index_bytes", offsetof(DictKeysHead, log2_index_bytes)},
      Constant{"keys_kind", offsetof(DictKeysHead, kind)},
      Constant{"keys_version", offsetof(DictKeysHead, version)},
      Constant{"keys_usable", offsetof(DictKeysHead, usable)},
      Constant{"keys_entries", offsetof(DictKeysHead, entries)},
      Constant{"entry_size", sizeof(DictEntry)},
      Constant{"entry_key", offsetof(DictEntry, key)},
      Constant{"entry_value", offsetof(DictEntry, value)},
      Constant{"str_entry_size", sizeof(DictStrEntry)},
      Constant{"str_entry_key", offsetof(DictStrEntry, key)},
      Constant{"str_entry_value", offsetof(DictStrEntry, value)},
      Constant{"values_head", offsetof(DictValuesHead, values)},
      Constant{"set_entry_size", sizeof(setentry)},
      Constant{"set_entry_key", offsetof(setentry, key)},
      Constant{"set_small_table", offsetof(PySetObject, smalltable)},
      Constant{"set_mask", offsetof(PySetObject, mask)},
      Constant{"deque_block_size", sizeof(DequeBlock)},
      Constant{"deque_block_left", offsetof(DequeBlock, left)},
      Constant{"deque_block_items", offsetof(DequeBlock, items)},
      Constant{"deque_block_right", offsetof(DequeBlock, right)},
      Constant{"node_size", sizeof(OrderedDictNode)},
      Constant{"node_key", offsetof(OrderedDictNode, key)},
      Constant{"node_hash", offsetof(OrderedDictNode, hash)},
      Constant{"node_next", offsetof(OrderedDictNode, next)},
      Constant{"node_previous", offsetof(OrderedDictNode, previous)},
      Constant{"list_items", offsetof(PyListObject, ob_item)},
      Constant{"code_qualname", offsetof(PyCodeObject, co_qualname)},
  };
}

// Our names need no escapes.
void AppendQuoted(std::string_view text, std::string* json) {
  json->append("\"").append(text).append("\"");
}

void AppendField(std::string_view name, FieldKind kind, std::int64_t offset, std::uint64_t size,
                 std::string* json) {
  json->append("[");
  AppendQuoted(name, json);
  json->append(",");
  AppendQuoted(NameOf(kind), json);
  json->append(",").append(std::to_string(offset)).append(",").append(std::to_string(size));
  json->append("]");
}

void AppendType(const TypeLayout& layout, std::string* json) {
  AppendQuoted(layout.tp_name, json);
  json->append(":{\"basicsize\":").append(std::to_string(layout.basicsize)).append(",\"fields\":[");
  const char* separator = "";
  for (const Field& field : layout.fields) {
    json->append(separator);
    AppendField(field.name, field.kind, field.offset, field.size, json);
    separator = ",";
  }
  json->append("],\"items\":");
  if (layout.items.name == nullptr) {
    json->append("null");
  } else {
    AppendField(layout.items.name, layout.items.kind, layout.items.offset, layout.items.stride,
                json);
  }
  json->append("}");
}

std::string Build() {
  std::string json = "{\"python\":";
  const std::string_view version = Py_GetVersion();
  AppendQuoted(version.substr(0, version.find(' ')), &json);
  json.append(",\"constants\":{");
  const char* separator = "";
  for (const Constant& constant : Constants()) {
    json.append(separator);
    AppendQuoted(constant.name, &json);
    json.append(":").append(std::to_string(constant.value));
    separator = ",";
  }
  json.append("},\"types\":{");
  separator = "";
  for (const TypeLayout& layout : ExactTypes()) {
    json.append(separator);
    AppendType(layout, &json);
    separator = ",";
  }
  return json.append("}}");
}

}  // namespace

const std::string& DescribeLayout() {
  static const std::string text = Build();
  return text;
}

}  // namespace frozen_arena
