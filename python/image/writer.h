// Writer: lays a packed graph out as an image, and writes it.
//
// Two steps, between which the file is made: Plan walks the graph and gives each block its place,
// Write fills the memory that the file is mapped to. What has changed in between is noticed. In an
// image lie the objects of the arena and plain values from elsewhere; what else is referred to is
// external: classes, functions, None and the like, which whoever opens the image has as well.
//
// Needs the GIL; calls no Python code.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_WRITER_H_
#define FROZEN_ARENA_PYTHON_IMAGE_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/arena.h"
#include "python/freeze/scratch.h"
#include "python/image/sketch.h"
#include "python/image/space.h"

namespace frozen_arena {

// Places are counted in bytes from the begin of the image's memory: objects first, then payload.
class ImageWriter {
 public:
  ImageWriter() = default;
  ~ImageWriter();
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  // nullptr, or why it cannot be saved, about the object that is last in chain(). An external root
  // cannot be saved. May throw std::bad_alloc.
  const char* Plan(const Arena& arena, PyObject* root);
  // What led to an object of the plan, the root first. May throw std::bad_alloc.
  std::vector<PyObject*> ChainTo(PyObject* object) const;
  PyObject* refused() const noexcept { return refused_; }

  struct External {
    PyObject* object;                  // nullptr: what all empty dicts share
    std::vector<std::uint32_t> words;  // that hold its address, by number; after Write
  };
  const std::vector<External>& externals() const noexcept { return externals_; }
  // Whose address it holds.
  const void* AddressOf(const External& external) const noexcept {
    return external.object == nullptr ? empty_keys_ : external.object;
  }

  const Space& space(std::size_t lane) const noexcept { return spaces_[lane]; }
  std::size_t LaneSize(std::size_t lane) const noexcept;  // in bytes, whole slices
  std::size_t size() const noexcept { return LaneSize(0) + LaneSize(1); }
  std::size_t objects() const noexcept { return order_.size(); }
  std::size_t blocks() const noexcept { return places_.size(); }
  std::size_t root_place() const noexcept;

  // Fills `memory`, of size() bytes of zeros, for a mapping at `base`. nullptr, or what went wrong.
  // May throw std::bad_alloc.
  const char* Write(char* memory, std::uintptr_t base);

  // A hash that is to be compared when the image is opened: the words that hold it, and the key.
  struct Check {
    std::uint32_t hash;
    std::uint32_t key;
  };
  const std::vector<Check>& checks() const noexcept { return checks_; }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};
  static constexpr Index kIsExternal = Index{1} << 31;
  struct Node {
    PyObject* object;   // owned
    Index first_place;  // in places_, or kIsExternal with a number, or kNone
    Index parent;
  };
  struct Place {
    std::uint32_t unit;  // from the begin of its lane, in units of Space
    std::uint32_t units : 30;
    std::uint32_t lane : 1;
    std::uint32_t last : 1;  // of its object
  };

  Index Find(PyObject* object) const noexcept;
  Index Add(PyObject* object, Index parent);
  void GrowTable();
  const char* Enter(Index index, const Arena& arena);
  const char* WriteOne(Index index, char* memory, std::uintptr_t base);
  const char* WriteWord(const SketchWord& word, const Node& node, char* memory,
                        std::uintptr_t base);
  std::size_t OffsetOf(const Node& node, int block) const noexcept;
  std::size_t ObjectAt(const Node& node) const noexcept;

  Shapes shapes_;
  Sketch sketch_;
  PyObject* refused_ = nullptr;
  const void* empty_keys_ = nullptr;
  ScratchVector<Node> nodes_;
  ScratchVector<Index> table_;  // open addressing, a power of two
  ScratchVector<Index> to_enter_;
  ScratchVector<Index> order_;  // in which they were entered
  ScratchVector<Place> places_;
  std::vector<External> externals_;
  std::vector<Check> checks_;
  std::array<Space, kLaneCount> spaces_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_WRITER_H_
