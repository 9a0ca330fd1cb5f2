#include "python/image/sketch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "arena/arena.h"
#include "python/layout/types.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

constexpr std::size_t kWord = sizeof(void*);
constexpr std::size_t kTypeOffset = offsetof(PyObject, ob_type);
// 3.11: so far from zero that no process counts down to it, and from where it would overflow.
constexpr std::uint64_t kCountForGood = std::uint64_t{1} << 30;

std::uint64_t FirstWord() {
  if constexpr (!kHasImmortal) return kCountForGood;
  std::uint64_t word = kImmortalCount;
  if constexpr (kCountHasFlags) word |= std::uint64_t{kImmortalFlag} << 48;
  return word;
}

constexpr char kOneKind[] = "it was not made by the interpreter's own functions";
constexpr char kAddressKey[] =
    "it is hashed by its address, which is another one in each process, and is a key or in a set";

std::size_t EntrySize(const DictKeysHead* keys) {
  return keys->kind == 0 ? sizeof(DictEntry) : sizeof(DictStrEntry);
}
// USABLE_FRACTION of Objects/dictobject.c.
std::size_t RoomFor(std::size_t slots) { return (slots << 1) / 3; }

std::size_t SizeOfKeys(const DictKeysHead* keys) {
  return sizeof(DictKeysHead) + (std::size_t{1} << keys->log2_index_bytes) +
         RoomFor(std::size_t{1} << keys->log2_size) * EntrySize(keys);
}

std::size_t DigitsOf(PyObject* number) {
  const std::uint64_t word = WordAt(number, offsetof(PyVarObject, ob_size));
  if constexpr (kIntHasTag) return static_cast<std::size_t>(word >> 3);
  const auto size = static_cast<std::int64_t>(word);
  return static_cast<std::size_t>(size < 0 ? -size : size);
}

template <typename State>
void ClearStatic(State* state) {  // 3.12+ marks those that are part of the interpreter
  if constexpr (requires { state->statically_allocated; }) state->statically_allocated = 0;
}

}  // namespace

const void* EmptyKeys() {
  PyObject* const empty = PyDict_New();
  if (empty == nullptr) return nullptr;
  const void* const keys = KeysOf(reinterpret_cast<PyDictObject*>(empty));
  Py_DECREF(empty);
  return keys;
}

int Sketch::Add(int lane, std::size_t size) {
  SketchBlock& block = blocks_[static_cast<std::size_t>(count_)];
  block.lane = lane;
  block.size = size;
  block.bytes.assign(size, '\0');
  return count_++;
}

void Sketch::Put(int block, std::size_t offset, std::uint64_t word) noexcept {
  std::memcpy(At(block, offset), &word, sizeof word);
}

void Sketch::Refer(int block, std::size_t offset, PyObject* object) {
  if (object != nullptr) words_.push_back({block, offset, object, 0, 0});
}

void Sketch::Point(int block, std::size_t offset, int target, std::size_t target_offset) {
  words_.push_back({block, offset, nullptr, target, target_offset});
}

int Sketch::AddObject(PyTypeObject* type, std::size_t prefix, std::size_t size,
                      const void* source) {
  const int block = Add(0, prefix + size);
  if (source != nullptr) std::memcpy(At(block, prefix), source, size);
  Put(block, prefix, FirstWord());
  Refer(block, prefix + kTypeOffset, reinterpret_cast<PyObject*>(type));
  return block;
}

const char* Sketch::Draw(PyObject* object, const Shape& shape) {
  count_ = 0;
  words_.clear();
  hashes_.clear();
  PyTypeObject* const type = Py_TYPE(object);
  switch (shape.form) {
    case Form::kNamed:
      return kOneKind;
    case Form::kStr:
      return DrawStr(object, shape);
    case Form::kBytes:
      AddObject(
          type, shape.prefix,
          offsetof(PyBytesObject, ob_sval) + 1 + static_cast<std::size_t>(PyBytes_GET_SIZE(object)),
          object);
      return nullptr;
    case Form::kInt:
      AddObject(type, shape.prefix,
                sizeof(PyVarObject) + std::max<std::size_t>(DigitsOf(object), 1) * sizeof(digit),
                object);
      return nullptr;
    case Form::kBits:
      AddObject(type, shape.prefix, shape.size, object);
      return nullptr;
    case Form::kDateTime: {
      PyObject* const zone = TimezoneOfDateTime(object);
      const std::size_t size =
          zone != nullptr ? sizeof(PyDateTime_DateTime) : sizeof(_PyDateTime_BaseDateTime);
      AddObject(type, shape.prefix, size, object);
      if (zone != nullptr) Refer(0, shape.prefix + offsetof(PyDateTime_DateTime, tzinfo), zone);
      return nullptr;
    }
    case Form::kTime: {
      PyObject* const zone = TimezoneOfTime(object);
      const std::size_t size =
          zone != nullptr ? sizeof(PyDateTime_Time) : sizeof(_PyDateTime_BaseTime);
      AddObject(type, shape.prefix, size, object);
      if (zone != nullptr) Refer(0, shape.prefix + offsetof(PyDateTime_Time, tzinfo), zone);
      return nullptr;
    }
    case Form::kDecimal:
      return DrawDecimal(object, shape);
    case Form::kTuple:
      DrawTuple(object, shape);
      return nullptr;
    case Form::kList:
      DrawList(object, shape);
      return nullptr;
    case Form::kDict:
      return DrawDict(object, shape);
    case Form::kSet:
      return DrawSet(object, shape);
    case Form::kFields:
      return DrawFields(object, shape);
  }
  return kOneKind;
}

const char* Sketch::DrawStr(PyObject* str, const Shape& shape) {
  const PyASCIIObject* const head = StrHead(str);
  if (head->state.compact == 0) return kOneKind;
  const bool ascii = head->state.ascii != 0;
  const std::size_t fixed = ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
  const auto length = static_cast<std::size_t>(head->length);
  const std::size_t size = fixed + (length + 1) * head->state.kind;
  AddObject(Py_TYPE(str), shape.prefix, size, str);
  auto* const copy = reinterpret_cast<PyCompactUnicodeObject*>(At(0, shape.prefix));
  copy->_base.state.interned =
      kHasImmortal && IsDebugInterpreter() ? kInternedImmortal : 0U;  // freeze/immortalize.h
  ClearStatic(&copy->_base.state);
  if constexpr (kStrWideOffset >= 0) {
    const auto* const characters = reinterpret_cast<const char*>(str) + fixed;
    const bool same = PointerAt<const char>(str, kStrWideOffset) == characters;
    Put(0, shape.prefix + kStrWideOffset, 0);
    if (same) Point(0, shape.prefix + kStrWideOffset, 0, shape.prefix + fixed);
    if (!same && !ascii) Put(0, shape.prefix + kStrWideLengthOffset, 0);
  }
  if (ascii) return nullptr;
  const char* const utf8 = reinterpret_cast<const PyCompactUnicodeObject*>(str)->utf8;
  copy->utf8 = nullptr;
  if (utf8 == nullptr) return nullptr;
  const auto bytes = static_cast<std::size_t>(copy->utf8_length) + 1;
  const int form = Add(1, bytes);
  std::memcpy(At(form, 0), utf8, bytes);
  Point(0, shape.prefix + offsetof(PyCompactUnicodeObject, utf8), form, 0);
  return nullptr;
}

const char* Sketch::DrawDecimal(PyObject* object, const Shape& shape) {
  const auto* const fields = reinterpret_cast<const DecimalFields*>(object);
  AddObject(Py_TYPE(object), shape.prefix, shape.size, object);
  if (KindOfHash(object) != KeyHash::kContent)
    Put(0, shape.prefix + offsetof(DecimalFields, hash), ~std::uint64_t{0});
  const std::size_t data = shape.prefix + offsetof(DecimalFields, data);
  Put(0, data, 0);
  if (fields->data == fields->inline_data) {
    Point(0, data, 0, shape.prefix + offsetof(DecimalFields, inline_data));
    return nullptr;
  }
  if (fields->data == nullptr || fields->allocated <= 0) return kOneKind;
  const std::size_t size = static_cast<std::size_t>(fields->allocated) * kWord;
  const int words = Add(1, size);
  std::memcpy(At(words, 0), fields->data, static_cast<std::size_t>(fields->length) * kWord);
  Point(0, data, words, 0);
  return nullptr;
}

void Sketch::DrawTuple(PyObject* tuple, const Shape& shape) {
  constexpr std::size_t kItems = offsetof(PyTupleObject, ob_item);
  const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(tuple));
  AddObject(Py_TYPE(tuple), shape.prefix, shape.size + count * kWord, nullptr);
  Put(0, shape.prefix + offsetof(PyVarObject, ob_size), count);
  if constexpr (kTupleHasHash) {
    const bool keep = KindOfHash(tuple) == KeyHash::kContent;
    Put(0, shape.prefix + sizeof(PyVarObject),
        keep ? WordAt(tuple, sizeof(PyVarObject)) : ~std::uint64_t{0});
  }
  for (std::size_t i = 0; i < count; ++i)
    Refer(0, shape.prefix + kItems + i * kWord, ItemsOfTuple(tuple)[i]);
}

void Sketch::DrawList(PyObject* list, const Shape& shape) {
  const auto* const head = reinterpret_cast<PyListObject*>(list);
  const auto count = static_cast<std::size_t>(PyList_GET_SIZE(list));
  AddObject(Py_TYPE(list), shape.prefix, shape.size, nullptr);
  Put(0, shape.prefix + offsetof(PyVarObject, ob_size), count);
  if (count == 0) return;
  Put(0, shape.prefix + offsetof(PyListObject, allocated), count);
  const int items = Add(1, count * kWord);
  Point(0, shape.prefix + offsetof(PyListObject, ob_item), items, 0);
  for (std::size_t i = 0; i < count; ++i) Refer(items, i * kWord, head->ob_item[i]);
}

const char* Sketch::LookAtKey(PyObject* key, const SketchHash& where) {
  const KeyHash kind = KindOfHash(key);
  if (kind == KeyHash::kAddress) return kAddressKey;
  if (kind == KeyHash::kUnknown) hashes_.push_back(where);
  return nullptr;
}

const char* Sketch::DrawDict(PyObject* dict, const Shape& shape) {
  const auto* const head = reinterpret_cast<const PyDictObject*>(dict);
  AddObject(Py_TYPE(dict), shape.prefix, shape.size, nullptr);
  const std::size_t keys = shape.prefix + offsetof(PyDictObject, ma_keys);
  Put(0, shape.prefix + offsetof(PyDictObject, ma_used), static_cast<std::size_t>(head->ma_used));
  if (head->ma_used == 0) {
    Point(0, keys, kEmptyKeys, 0);
    return nullptr;
  }
  if (head->ma_values == nullptr) return CopyKeys(0, keys, KeysOf(head));
  attributes_.clear();
  Py_ssize_t position = 0;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  while (PyDict_Next(dict, &position, &name, &value) != 0) attributes_.push_back({name, value});
  BuildKeys(0, keys);
  return nullptr;
}

const char* Sketch::CopyKeys(int dict, std::size_t keys_offset, const DictKeysHead* keys) {
  const std::size_t size = SizeOfKeys(keys);
  const std::size_t index_bytes = std::size_t{1} << keys->log2_index_bytes;
  const int table = Add(1, size);
  Point(dict, keys_offset, table, 0);
  std::memcpy(At(table, 0), keys, sizeof(DictKeysHead) + index_bytes);
  auto* const copy = reinterpret_cast<DictKeysHead*>(At(table, 0));
  copy->count = 1;
  copy->version = 0;
  const std::size_t entries = sizeof(DictKeysHead) + index_bytes;
  std::size_t at = entries;
  const char* why = nullptr;
  const auto* const general =
      reinterpret_cast<const DictEntry*>(reinterpret_cast<const char*>(keys) + entries);
  ForEachEntry(keys, [&](PyObject* key, PyObject* value) {
    const bool is_general = keys->kind == 0;
    const std::size_t key_at = at + (is_general ? offsetof(DictEntry, key) : 0);
    Refer(table, key_at, key);
    Refer(table, key_at + kWord, value);
    if (is_general && key != nullptr) {
      const auto number = static_cast<std::size_t>((at - entries) / sizeof(DictEntry));
      Put(table, at, static_cast<std::uint64_t>(general[number].hash));
      const char* const wrong = LookAtKey(key, {table, at, key_at});
      if (wrong != nullptr) why = wrong;
    }
    at += EntrySize(keys);
  });
  return why;
}

// As insert_to_emptydict and dictresize of Objects/dictobject.c do for str keys that are all
// different.
void Sketch::BuildKeys(int dict, std::size_t keys_offset) {
  constexpr int kSmallest = 3;  // PyDict_LOG_MINSIZE
  constexpr int kPerturbShift = 5;
  int log2_size = kSmallest;
  while (RoomFor(std::size_t{1} << log2_size) < attributes_.size()) ++log2_size;
  const int log2_width = log2_size <= 7 ? 0 : log2_size <= 15 ? 1 : 2;  // bytes of an index
  DictKeysHead head{};
  head.count = 1;
  head.log2_size = static_cast<std::uint8_t>(log2_size);
  head.log2_index_bytes = static_cast<std::uint8_t>(log2_size + log2_width);
  head.kind = 1;  // DICT_KEYS_UNICODE
  head.entries = static_cast<Py_ssize_t>(attributes_.size());
  head.usable = static_cast<Py_ssize_t>(RoomFor(std::size_t{1} << log2_size)) - head.entries;
  const int table = Add(1, SizeOfKeys(&head));
  Point(dict, keys_offset, table, 0);
  std::memcpy(At(table, 0), &head, sizeof head);
  const std::size_t index_bytes = std::size_t{1} << head.log2_index_bytes;
  char* const index = At(table, sizeof head);
  std::memset(index, 0xFF, index_bytes);  // DKIX_EMPTY
  const std::size_t mask = (std::size_t{1} << log2_size) - 1;
  const std::size_t width = std::size_t{1} << log2_width;
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    const std::size_t entry = sizeof head + index_bytes + i * sizeof(DictStrEntry);
    Refer(table, entry + offsetof(DictStrEntry, key), attributes_[i].key);
    Refer(table, entry + offsetof(DictStrEntry, value), attributes_[i].value);
    auto perturb = static_cast<std::size_t>(StrHead(attributes_[i].key)->hash);
    std::size_t at = perturb & mask;
    while (index[at * width + width - 1] >= 0) {  // the sign of a little-endian number
      perturb >>= kPerturbShift;
      at = (at * 5 + perturb + 1) & mask;
    }
    const std::uint64_t number = i;
    std::memcpy(index + at * width, &number, width);
  }
}

const char* Sketch::DrawSet(PyObject* object, const Shape& shape) {
  const auto* const set = reinterpret_cast<const PySetObject*>(object);
  AddObject(Py_TYPE(object), shape.prefix, shape.size, nullptr);
  const auto put = [&](std::size_t offset, Py_ssize_t number) {
    Put(0, shape.prefix + offset, static_cast<std::uint64_t>(number));
  };
  put(offsetof(PySetObject, fill), set->fill);
  put(offsetof(PySetObject, used), set->used);
  put(offsetof(PySetObject, mask), set->mask);
  const bool keep = Py_TYPE(object) == &PyFrozenSet_Type && KindOfHash(object) == KeyHash::kContent;
  put(offsetof(PySetObject, hash), keep ? set->hash : -1);
  int table = 0;
  std::size_t begin = shape.prefix + offsetof(PySetObject, smalltable);
  const auto places = static_cast<std::size_t>(set->mask) + 1;
  if (set->table != set->smalltable) {
    table = Add(1, places * sizeof(setentry));
    begin = 0;
  }
  Point(0, shape.prefix + offsetof(PySetObject, table), table, begin);
  for (std::size_t i = 0; i < places; ++i) {
    const setentry& entry = set->table[i];
    if (entry.key == nullptr) continue;
    if (entry.hash == -1) return "places of deleted items are left in it";
    const std::size_t at = begin + i * sizeof(setentry);
    Refer(table, at + offsetof(setentry, key), entry.key);
    Put(table, at + offsetof(setentry, hash), static_cast<std::uint64_t>(entry.hash));
    const SketchHash where{table, at + offsetof(setentry, hash), at + offsetof(setentry, key)};
    const char* const why = LookAtKey(entry.key, where);
    if (why != nullptr) return why;
  }
  return nullptr;
}

const char* Sketch::DrawFields(PyObject* object, const Shape& shape) {
  // Inline values that are not valid, and have no room: the attributes stand in the dict.
  constexpr std::size_t kValues = 2 * kWord;
  AddObject(Py_TYPE(object), shape.prefix, shape.size + (shape.has_values ? kValues : 0), nullptr);
  for (const std::int32_t offset : shape.references) {
    Refer(0, shape.prefix + static_cast<std::size_t>(offset), PointerAt<PyObject>(object, offset));
  }
  if constexpr (kHasInlineValues) {
    constexpr std::size_t kEmbedded = 2;  // capacity, size, embedded, valid
    if (shape.has_values) *At(0, shape.prefix + shape.size + kEmbedded) = 1;
  }
  return shape.has_dict ? DrawAttributes(object, shape) : nullptr;
}

const char* Sketch::DrawAttributes(PyObject* object, const Shape& shape) {
  const auto place =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(shape.prefix) + kManagedDictOffset);
  PyObject* const own = InstanceDictOf(object);
  if (own != nullptr && FindArena(own) == FindArena(object)) {
    Refer(0, place, own);
    return nullptr;
  }
  // None yet, or one that was made when somebody asked for it.
  attributes_.clear();
  const char* why = nullptr;
  ForEachAttribute(object, [&](PyObject* name, PyObject* value) {
    if (!PyUnicode_CheckExact(name) || StrHead(name)->hash == -1)
      why = "an attribute of it has a name that is no plain str";
    attributes_.push_back({name, value});
  });
  if (why != nullptr) return why;
  const std::size_t prefix = PrefixSize(&PyDict_Type);
  const int dict = AddObject(&PyDict_Type, prefix, sizeof(PyDictObject), nullptr);
  Point(0, place, dict, prefix);
  Put(dict, prefix + offsetof(PyDictObject, ma_used), attributes_.size());
  const std::size_t keys = prefix + offsetof(PyDictObject, ma_keys);
  if (attributes_.empty()) {
    Point(dict, keys, kEmptyKeys, 0);
  } else {
    BuildKeys(dict, keys);
  }
  return nullptr;
}

}  // namespace frozen_arena
