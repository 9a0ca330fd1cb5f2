// Space: where the blocks of a lane will lie in an image. Blocks of one size lie together in areas,
// in the order in which they are placed, as they do in an arena: what takes an OS page apart reads
// areas (arena/directory.h).
#ifndef FROZEN_ARENA_PYTHON_IMAGE_SPACE_H_
#define FROZEN_ARENA_PYTHON_IMAGE_SPACE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/arena.h"

namespace frozen_arena {

class Space {
 public:
  static constexpr std::size_t kUnit = 16;  // blocks are multiples of it

  // The place of a block of at least `size` bytes, counted from the begin of the lane. May throw
  // std::bad_alloc.
  std::size_t Place(std::size_t size);

  std::size_t size() const noexcept { return end_; }  // in bytes
  std::size_t live_bytes() const noexcept { return live_bytes_; }
  const std::vector<DirectoryArea>& areas() const noexcept { return areas_; }

 private:
  // An image of a few objects must not cost an area of 64 KiB for each size; one of many shall not
  // have many areas.
  static constexpr std::size_t kFirstArea = 1 * kKiB;
  static constexpr std::size_t kLargestArea = 64 * kKiB;
  static constexpr std::size_t kLargestShared = 4 * kKiB;  // a larger block is its own area
  struct Open {
    std::size_t next = 0;
    std::size_t end = 0;
    std::size_t area = kFirstArea / 2;  // the size of the last one
  };

  std::size_t end_ = 0;
  std::size_t live_bytes_ = 0;
  std::vector<DirectoryArea> areas_;
  std::array<Open, kLargestShared / kUnit + 1> open_{};
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_SPACE_H_
