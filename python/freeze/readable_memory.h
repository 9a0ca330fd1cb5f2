// Which addresses may be read: words found in raw memory are asked about before they are followed.
//
// The kernel is asked about each OS page, and the answer remembered; after a few hundred questions
// /proc/self/maps is read, where there is one. What is mapped later may count as unreadable, which
// is the safe answer.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_READABLE_MEMORY_H_
#define FROZEN_ARENA_PYTHON_FREEZE_READABLE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace frozen_arena {

class ReadableMemory {
 public:
  ReadableMemory() = default;
  ~ReadableMemory();
  ReadableMemory(const ReadableMemory&) = delete;
  ReadableMemory& operator=(const ReadableMemory&) = delete;

  // All `size` bytes at `address` can be read. May throw std::bad_alloc.
  bool Contains(const void* address, std::size_t size) {
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    if (begin >= last_.begin && begin < last_.end && size <= last_.end - begin) return true;
    return Search(begin, size);
  }

 private:
  struct Range {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
  };
  bool Search(std::uintptr_t begin, std::size_t size);
  bool ReadMaps();
  bool Probe(std::uintptr_t page);

  Range last_;  // where the last answer was found; most questions come from the same neighbourhood
  std::vector<Range> ranges_;
  std::unordered_map<std::uintptr_t, bool> probed_;
  bool maps_tried_ = false;
  int pipe_[2] = {-1, -1};
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_READABLE_MEMORY_H_
