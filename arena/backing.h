// Backing: the file behind a part of a lane, and how that part is mapped.
//
//   kShared     while building: shared, writable, of a memfd
//   kPrivate    open or abandoned after a fork: private, so that parent and child stay apart
//   kAnonymous  no memfd could be had: ordinary private memory, whose page tables fork() copies
//   kSealed     private mapping of a file that nobody can change any more
//
// A backing does not know what lies in it; its owner (a segment or a large block) names the
// extents. Nothing here throws but what allocates vectors: Seal. The caller holds the mapping lock.
#ifndef FROZEN_ARENA_ARENA_BACKING_H_
#define FROZEN_ARENA_ARENA_BACKING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/address_space.h"
#include "arena/os_memory.h"

namespace frozen_arena {

enum class BackingMode : std::uint8_t { kShared, kPrivate, kAnonymous, kSealed };

// Memory that is mapped: `size` bytes at `address`, from `offset` of the file. Multiples of the OS
// page.
struct Extent {
  std::uintptr_t address;
  std::size_t size;
  std::size_t offset;
};

class Backing {
 public:
  Backing() noexcept;
  ~Backing();
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  BackingMode mode() const noexcept { return mode_; }

  // Maps an extent inside `range`. After a fork new memory is anonymous: the file is the child's
  // too.
  os::MapResult Map(const AddressRange& range, const Extent& extent) noexcept;

  // Gives the memory of an extent back; it reads as zero afterwards. Before the seal only.
  bool Punch(const Extent& extent) noexcept;

  // kShared -> kPrivate, for all `extents`. False when the kernel refused one: it stays shared, and
  // a child that writes there would be seen here, so the caller tries again before the next fork.
  bool MakePrivate(const std::vector<Extent>& extents) noexcept;

  // Before the last Punch and Seal: in mode kPrivate the content moves to a new file, because the
  // old one is the child's as well. False when there is no file to seal; then the memory stays as
  // it is.
  bool ReadyToSeal(const std::vector<Extent>& extents) noexcept;

  // -> kSealed, with a pristine mapping of all `extents`. False when it stays in the mode it was
  // in.
  bool Seal(const std::vector<Extent>& extents);

  // True when the file was made immutable; false when some process still mapped it shared at the
  // seal.
  bool file_sealed() const noexcept { return file_sealed_; }

  // The pristine byte for `address`, or 0.
  std::uintptr_t Pristine(std::uintptr_t address) const noexcept;

 private:
  struct PristineRun {
    std::uintptr_t address;
    std::size_t size;
    std::uintptr_t pristine;
  };
  bool Grow(std::size_t size) noexcept;
  bool MoveToNewFile(const std::vector<Extent>& extents) noexcept;
  void MapPristine(const std::vector<Extent>& extents);

  BackingMode mode_;
  int descriptor_;
  std::size_t file_size_ = 0;
  bool file_sealed_ = false;
  std::uintptr_t pristine_begin_ = 0;
  std::size_t pristine_size_ = 0;
  std::vector<PristineRun> pristine_runs_;  // ascending by address
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_BACKING_H_
