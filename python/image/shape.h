// Shape: how the objects of a type lie in an image, worked out once a type. Only types of which
// every word is known can be saved.
//
// Needs the GIL; calls no Python code, but for what a metatype does when its class is asked.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_SHAPE_H_
#define FROZEN_ARENA_PYTHON_IMAGE_SHAPE_H_

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "python/layout/object_compat.h"

namespace frozen_arena {

enum class Form : std::uint8_t {
  kNamed,  // not saved: known by an importable name, or not at all
  kStr,
  kBytes,
  kInt,
  kBits,  // float, complex, date, timedelta: bytes without an address
  kDateTime,
  kTime,
  kDecimal,
  kTuple,
  kList,
  kDict,
  kSet,     // and frozenset
  kFields,  // references at fixed places: slots, range, time zones
};

struct Shape {
  Form form = Form::kNamed;
  bool is_value = false;  // immutable, and its identity means nothing: saved wherever it lies
  bool has_dict = false;
  bool has_values = false;               // room for inline values behind it
  std::size_t prefix = 0;                // bytes before an instance
  std::size_t size = 0;                  // tp_basicsize
  std::vector<std::int32_t> references;  // kFields
};

class Shapes {
 public:
  // Good as long as this. May throw std::bad_alloc.
  const Shape& Of(PyTypeObject* type);

 private:
  PyTypeObject* last_type_ = nullptr;
  const Shape* last_ = nullptr;
  std::unordered_map<PyTypeObject*, Shape> shapes_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_SHAPE_H_
