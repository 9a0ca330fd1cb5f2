// FilePart: a lane that is a part of a file on disk, mapped private where it was built: what an
// image is made of (python/image). It was sealed by whoever wrote it; nothing is ever allocated in
// it, and what is freed in it is counted.
//
// The file stays as it is as long as it is mapped: whoever writes another image puts a new file in
// its place.
#ifndef FROZEN_ARENA_ARENA_FILE_PART_H_
#define FROZEN_ARENA_ARENA_FILE_PART_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "arena/directory.h"
#include "arena/os_memory.h"
#include "arena/region.h"

namespace frozen_arena {

// Where a lane lies in the file, and in memory. Address, size and offset are multiples of a slice;
// the file reaches that far.
struct FileLane {
  std::uintptr_t address = 0;
  std::size_t size = 0;  // in bytes; 0: there is none
  std::size_t offset = 0;
  std::size_t live_bytes = 0;        // in blocks
  std::vector<DirectoryArea> areas;  // ascending, within the lane
};

class FilePart final : public Region {
 public:
  // nullptr unless `*result` is kMapped. May throw std::bad_alloc. Takes the mapping lock, as the
  // destructor does.
  static std::unique_ptr<FilePart> Map(Arena* arena, Lane* lane, int descriptor, FileLane&& what,
                                       os::MapResult* result);
  ~FilePart();
  FilePart(const FilePart&) = delete;
  FilePart& operator=(const FilePart&) = delete;

  std::uintptr_t begin() const noexcept { return lane_of_file_.address; }
  std::size_t size() const noexcept { return lane_of_file_.size; }
  // Of the block at `address`; 0 where there is none.
  std::size_t SizeOf(std::uintptr_t address) const noexcept;
  std::uintptr_t Pristine(std::uintptr_t address) const noexcept;
  void Describe(Directory* directory) const noexcept;

 private:
  FilePart(Arena* owner, Lane* owner_lane, FileLane&& what) noexcept;

  FileLane lane_of_file_;
  bool entered_ = false;  // mapped, and in the address map
  std::uintptr_t pristine_ = 0;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_FILE_PART_H_
