// Sketch: what an object becomes in an image: a few blocks, as bytes, and which words of them are
// addresses. The object is read and not changed.
//
// In an image an object is immortal (3.12+; on 3.11 its count is too high ever to come to zero),
// not tracked by the collector and referred to weakly by nobody. Tags of the interpreter's
// specialising machinery are zero, because they mean something in one process only. Instances have
// their attributes in a dict of their own: the names that a class shares among its instances stand
// in another order in each process.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_SKETCH_H_
#define FROZEN_ARENA_PYTHON_IMAGE_SKETCH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "python/image/key_hash.h"
#include "python/image/shape.h"

namespace frozen_arena {

struct SketchBlock {
  int lane = 0;  // 0 objects, 1 payload
  std::size_t size = 0;
  std::vector<char> bytes;
};

// A word that holds the address of an object, of a byte of another block of the sketch, or of what
// all empty dicts share.
struct SketchWord {
  int block;
  std::size_t offset;
  PyObject* object;  // nullptr: the two below count
  int target;        // a block, or kEmptyKeys
  std::size_t target_offset;
};
inline constexpr int kEmptyKeys = -1;

// A hash that may be another one in another process.
struct SketchHash {
  int block;
  std::size_t hash_offset;
  std::size_t key_offset;
};

class Sketch {
 public:
  static constexpr int kMostBlocks = 3;

  // nullptr, or why the object cannot be saved: a static sentence about it. Precondition: its form
  // is not kNamed. May throw std::bad_alloc. Needs the GIL; calls no Python code.
  const char* Draw(PyObject* object, const Shape& shape);

  int count() const noexcept { return count_; }
  const SketchBlock& block(int index) const noexcept {
    return blocks_[static_cast<std::size_t>(index)];
  }
  const std::vector<SketchWord>& words() const noexcept { return words_; }
  const std::vector<SketchHash>& hashes() const noexcept { return hashes_; }

 private:
  int Add(int lane, std::size_t size);
  char* At(int block, std::size_t offset) noexcept {
    return blocks_[static_cast<std::size_t>(block)].bytes.data() + offset;
  }
  void Put(int block, std::size_t offset, std::uint64_t word) noexcept;
  void Refer(int block, std::size_t offset, PyObject* object);
  void Point(int block, std::size_t offset, int target, std::size_t target_offset);
  // An object of `size` bytes behind its prefix, with its count and type; its fields are zero, or
  // with `source` as there.
  int AddObject(PyTypeObject* type, std::size_t prefix, std::size_t size, const void* source);

  const char* DrawStr(PyObject* str, const Shape& shape);
  const char* DrawDecimal(PyObject* object, const Shape& shape);
  void DrawTuple(PyObject* tuple, const Shape& shape);
  void DrawList(PyObject* list, const Shape& shape);
  const char* DrawDict(PyObject* dict, const Shape& shape);
  const char* DrawSet(PyObject* set, const Shape& shape);
  const char* DrawFields(PyObject* object, const Shape& shape);
  const char* DrawAttributes(PyObject* object, const Shape& shape);
  const char* CopyKeys(int dict, std::size_t keys_offset, const DictKeysHead* keys);
  void BuildKeys(int dict, std::size_t keys_offset);
  const char* LookAtKey(PyObject* key, const SketchHash& where);

  std::array<SketchBlock, kMostBlocks> blocks_;
  int count_ = 0;
  std::vector<SketchWord> words_;
  std::vector<SketchHash> hashes_;
  std::vector<DictStrEntry> attributes_;
};

// What the `keys` of an empty dict are, the same for all of them. nullptr with an exception set.
const void* EmptyKeys();

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_SKETCH_H_
