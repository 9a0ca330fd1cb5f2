#include "python/image/writer.h"

#include <algorithm>
#include <cstring>

#include "python/layout/types.h"

namespace frozen_arena {
namespace {

constexpr std::size_t kWord = sizeof(void*);
// Words are numbered by 32 bits.
constexpr std::size_t kMostBytes = std::size_t{32} << 30;
constexpr std::uint32_t kMostUnits = (std::uint32_t{1} << 30) - 1;  // of Space, in one block
constexpr char kTooBig[] = "an image holds at most 32 GiB, and this one would be larger";
constexpr char kChanged[] = "it was changed while it was saved";
constexpr char kNoPart[] =
    "it is no part of the packed copy: it was put there later; pack the data again";

// What is one object for everybody and has no name that leads to it.
bool IsShared(PyObject* object) {
  if (object == Py_None || object == Py_True || object == Py_False || object == Py_Ellipsis ||
      object == Py_NotImplemented)
    return true;
  PyObject* same = nullptr;
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long value = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow != 0 || value < -5 || value > 1024) return false;
    same = PyLong_FromLong(value);
  } else if (PyUnicode_CheckExact(object)) {
    if (PyUnicode_GET_LENGTH(object) > 1) return false;
    const bool empty = PyUnicode_GET_LENGTH(object) == 0;
    const Py_UCS4 letter = empty ? 0 : PyUnicode_READ_CHAR(object, 0);
    if (letter > 255) return false;
    same = empty ? PyUnicode_New(0, 0) : PyUnicode_FromOrdinal(static_cast<int>(letter));
  } else if (PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) <= 1) {
    same = PyBytes_FromStringAndSize(PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object));
  } else if (PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) == 0) {
    same = PyTuple_New(0);
  }
  if (same == nullptr) PyErr_Clear();
  Py_XDECREF(same);
  return same == object;
}

std::size_t HashOf(const PyObject* object) noexcept {
  // The golden ratio of 2^64; the lowest four bits of an address are zeros.
  return (reinterpret_cast<std::uintptr_t>(object) >> 4) * 0x9E3779B97F4A7C15u >> 20;
}

}  // namespace

ImageWriter::~ImageWriter() {
  for (const Node& node : nodes_) Py_DECREF(node.object);
}

ImageWriter::Index ImageWriter::Find(PyObject* object) const noexcept {
  for (std::size_t at = HashOf(object);; ++at) {
    const Index index = table_[at & (table_.size() - 1)];
    if (index == kNone || nodes_[index].object == object) return index;
  }
}

void ImageWriter::GrowTable() {
  ScratchVector<Index> bigger(std::max<std::size_t>(1024, 2 * table_.size()), kNone);
  table_.swap(bigger);
  for (Index i = 0; i < nodes_.size(); ++i) {
    std::size_t at = HashOf(nodes_[i].object);
    while (table_[at & (table_.size() - 1)] != kNone) ++at;
    table_[at & (table_.size() - 1)] = i;
  }
}

ImageWriter::Index ImageWriter::Add(PyObject* object, Index parent) {
  if (2 * (nodes_.size() + 1) > table_.size()) GrowTable();
  const Index known = Find(object);
  if (known != kNone) return known;
  const auto index = static_cast<Index>(nodes_.size());
  nodes_.push_back({object, kNone, parent});
  Py_INCREF(object);
  std::size_t at = HashOf(object);
  while (table_[at & (table_.size() - 1)] != kNone) ++at;
  table_[at & (table_.size() - 1)] = index;
  to_enter_.push_back(index);
  return index;
}

const char* ImageWriter::Plan(const Arena& arena, PyObject* root) {
  empty_keys_ = EmptyKeys();
  if (empty_keys_ == nullptr) {
    PyErr_Clear();
    return "there is no memory for an empty dict";
  }
  externals_.push_back({nullptr, {}});
  Add(root, kNone);
  while (!to_enter_.empty()) {
    const Index index = to_enter_.back();
    to_enter_.pop_back();
    const char* const why = Enter(index, arena);
    if (why != nullptr) {
      refused_ = nodes_[index].object;
      return why;
    }
  }
  if ((nodes_[0].first_place & kIsExternal) == 0) return nullptr;
  refused_ = root;
  return "it needs no image: every process has it";
}

const char* ImageWriter::Enter(Index index, const Arena& arena) {
  PyObject* const object = nodes_[index].object;
  const Shape& shape = shapes_.Of(Py_TYPE(object));
  const bool mine = FindArena(object) == &arena;
  if (shape.form == Form::kNamed || (!mine && !shape.is_value) || IsShared(object)) {
    if (!mine && (shape.form == Form::kList || shape.form == Form::kDict)) return kNoPart;
    nodes_[index].first_place = kIsExternal | static_cast<Index>(externals_.size());
    externals_.push_back({object, {}});
    return nullptr;
  }
  const char* const why = sketch_.Draw(object, shape);
  if (why != nullptr) return why;
  nodes_[index].first_place = static_cast<Index>(places_.size());
  order_.push_back(index);
  for (int i = 0; i < sketch_.count(); ++i) {
    const SketchBlock& block = sketch_.block(i);
    Space& space = spaces_[static_cast<std::size_t>(block.lane)];
    const std::size_t place = space.Place(block.size);
    if (size() > kMostBytes) return kTooBig;
    const std::size_t units = RoundUp(block.size, Space::kUnit) / Space::kUnit;
    if (units > kMostUnits) return kTooBig;
    places_.push_back({static_cast<std::uint32_t>(place / Space::kUnit),
                       static_cast<std::uint32_t>(units) & kMostUnits, block.lane == 0 ? 0U : 1U,
                       i + 1 == sketch_.count() ? 1U : 0U});
  }
  if (nodes_.size() + sketch_.words().size() >= kIsExternal || places_.size() >= kIsExternal)
    return kTooBig;
  const std::size_t first = to_enter_.size();
  for (const SketchWord& word : sketch_.words()) {
    if (word.object != nullptr) Add(word.object, index);
  }
  // What comes first in the object is entered first.
  std::reverse(to_enter_.begin() + static_cast<std::ptrdiff_t>(first), to_enter_.end());
  return nullptr;
}

std::vector<PyObject*> ImageWriter::ChainTo(PyObject* object) const {
  std::vector<PyObject*> chain;
  for (Index at = Find(object); at != kNone; at = nodes_[at].parent)
    chain.push_back(nodes_[at].object);
  std::reverse(chain.begin(), chain.end());
  return chain;
}

std::size_t ImageWriter::LaneSize(std::size_t lane) const noexcept {
  return RoundUp(spaces_[lane].size(), kSliceSize);
}

std::size_t ImageWriter::OffsetOf(const Node& node, int block) const noexcept {
  const Place& place = places_[node.first_place + static_cast<Index>(block)];
  const std::size_t lane = sketch_.block(block).lane == 0 ? 0 : LaneSize(0);
  return lane + place.unit * Space::kUnit;
}

// The block of the object itself is its first, in the objects lane.
std::size_t ImageWriter::ObjectAt(const Node& node) const noexcept {
  return places_[node.first_place].unit * Space::kUnit + PrefixSize(Py_TYPE(node.object));
}

std::size_t ImageWriter::root_place() const noexcept { return ObjectAt(nodes_[0]); }

const char* ImageWriter::Write(char* memory, std::uintptr_t base) {
  for (const Index index : order_) {
    const char* const why = WriteOne(index, memory, base);
    if (why == nullptr) continue;
    refused_ = nodes_[index].object;
    return why;
  }
  return nullptr;
}

const char* ImageWriter::WriteOne(Index index, char* memory, std::uintptr_t base) {
  const Node& node = nodes_[index];
  const char* const why = sketch_.Draw(node.object, shapes_.Of(Py_TYPE(node.object)));
  if (why != nullptr) return why;
  for (int i = 0; i < sketch_.count(); ++i) {
    const std::size_t number = node.first_place + static_cast<std::size_t>(i);
    if (number >= places_.size()) return kChanged;
    const SketchBlock& block = sketch_.block(i);
    const Place& place = places_[number];
    const bool is_last = i + 1 == sketch_.count();
    if (RoundUp(block.size, Space::kUnit) != place.units * Space::kUnit ||
        static_cast<int>(place.lane) != block.lane || (place.last != 0) != is_last)
      return kChanged;
    std::memcpy(memory + OffsetOf(node, i), block.bytes.data(), block.size);
  }
  for (const SketchWord& word : sketch_.words()) {
    const char* const wrong = WriteWord(word, node, memory, base);
    if (wrong != nullptr) return wrong;
  }
  for (const SketchHash& hash : sketch_.hashes()) {
    const std::size_t block = OffsetOf(node, hash.block);
    checks_.push_back({static_cast<std::uint32_t>((block + hash.hash_offset) / kWord),
                       static_cast<std::uint32_t>((block + hash.key_offset) / kWord)});
  }
  return nullptr;
}

const char* ImageWriter::WriteWord(const SketchWord& word, const Node& node, char* memory,
                                   std::uintptr_t base) {
  const std::size_t at = OffsetOf(node, word.block) + word.offset;
  std::uint64_t value = 0;
  Index external = kNone;
  if (word.object == nullptr && word.target == kEmptyKeys) {
    external = 0;
  } else if (word.object == nullptr) {
    value = base + OffsetOf(node, word.target) + word.target_offset;
  } else {
    const Index target = Find(word.object);
    if (target == kNone || nodes_[target].first_place == kNone) return kChanged;
    const Index place = nodes_[target].first_place;
    if ((place & kIsExternal) != 0) {
      external = place & ~kIsExternal;
    } else {
      value = base + ObjectAt(nodes_[target]);
    }
  }
  if (external != kNone) {
    value = reinterpret_cast<std::uintptr_t>(AddressOf(externals_[external]));
    externals_[external].words.push_back(static_cast<std::uint32_t>(at / kWord));
  }
  std::memcpy(memory + at, &value, sizeof value);
  return nullptr;
}

}  // namespace frozen_arena
