#include "python/image/space.h"

#include <algorithm>

namespace frozen_arena {

std::size_t Space::Place(std::size_t size) {
  const std::size_t block = RoundUp(size == 0 ? 1 : size, kUnit);
  live_bytes_ += block;
  if (block > kLargestShared) {
    areas_.push_back({end_, block, block});
    end_ += block;
    return end_ - block;
  }
  Open& open = open_[block / kUnit];
  if (open.next == open.end) {
    open.area = std::min(2 * open.area, kLargestArea);
    const std::size_t bytes = std::max(RoundDown(open.area, block), block);
    areas_.push_back({end_, bytes, block});
    open.next = end_;
    end_ += bytes;
    open.end = end_;
  }
  const std::size_t place = open.next;
  open.next += block;
  return place;
}

}  // namespace frozen_arena
