// Backing: the file behind a part of a lane, and how that part is mapped.
//
//   kShared     while building: shared, writable, of a memfd
//   kPrivate    after a fork: private, so that parent and child stay apart
//   kAnonymous  no memfd could be had: ordinary private memory, whose page tables fork() copies
//   kMoved      about to be sealed after a fork: the content lies in a second file, not yet mapped
//   kSealed     private mapping of a file that nobody can change any more
//
// Programs close descriptors that they do not know, daemons all of them, and the number is then of
// another file. So a descriptor is looked at before it is used; for a file that is gone there comes
// a new one, to which the content moves when it is sealed or made private.
//
// A backing does not know what lies in it; its owner (a segment, a track or a large block) names
// the extents, and remembers which of them are still mapped shared. Nothing here throws. The caller
// holds the mapping lock.
#ifndef FROZEN_ARENA_ARENA_BACKING_H_
#define FROZEN_ARENA_ARENA_BACKING_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/address_space.h"
#include "arena/bit_set.h"
#include "arena/os_memory.h"

namespace frozen_arena {

enum class BackingMode : std::uint8_t { kShared, kPrivate, kAnonymous, kMoved, kSealed };

// Memory that is mapped: `size` bytes at `address`, from `offset` of the file. Multiples of the OS
// page.
struct Extent {
  std::uintptr_t address;
  std::size_t size;
  std::size_t offset;
};

class Backing {
 public:
  explicit Backing(const char* file_name) noexcept;  // as os::CreateMemfd; kept, not copied
  ~Backing();
  Backing(const Backing&) = delete;
  Backing& operator=(const Backing&) = delete;

  BackingMode mode() const noexcept { return mode_; }

  // Maps an extent inside `range`. After a fork new memory is anonymous: the file is the child's
  // too.
  os::MapResult Map(const AddressRange& range, const Extent& extent) noexcept;

  // Gives the memory of an extent back; it reads as zero afterwards. Before the seal only.
  bool Punch(const Extent& extent) noexcept;

  // Before a fork: kShared -> kPrivate, and one extent that is mapped shared becomes private. False
  // when the kernel refused: it stays shared, is kept from children, and the owner asks again. What
  // has become private is never asked for again: it has content that the file does not have.
  bool MakePrivate(const Extent& extent) noexcept;
  // When nothing is shared any more: the mappings hold the file, which is sealed, and what comes
  // new is anonymous.
  void CloseFile() noexcept;

  // Before the last Punch and Seal. In mode kPrivate the content moves to a new file, because the
  // old one is the child's as well, and what is private has left it: of it the OS pages in `live`,
  // numbered by their place in the file, or all (nullptr). False when there is no file to seal, or
  // another thread that might write meanwhile; then the memory stays as it is.
  bool ReadyToSeal(const std::vector<Extent>& extents, const BitSet* live) noexcept;

  // Maps `extents` private, one after another, and returns how many the kernel granted. All: the
  // backing is kSealed. Fewer: it is kPrivate, every byte is where it was, and the rest is mapped
  // as before.
  std::size_t Seal(const std::vector<Extent>& extents) noexcept;

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
  // Sees to it that descriptor_ is of a file of ours. False when there is none to be had.
  bool KeepFile() noexcept;
  void SetFile(int descriptor) noexcept;
  bool Grow(std::size_t size) noexcept;
  bool MoveToNewFile(const std::vector<Extent>& extents, const BitSet* live) noexcept;
  void MapPristine(const std::vector<Extent>& extents) noexcept;

  BackingMode mode_;
  const char* file_name_;
  int descriptor_ = -1;
  os::FileIdentity identity_;
  bool moved_ = false;  // descriptor_ is not the file that shared mappings are of
  std::size_t file_size_ = 0;
  bool file_sealed_ = false;
  std::uintptr_t pristine_begin_ = 0;
  std::size_t pristine_size_ = 0;
  std::vector<PristineRun> pristine_runs_;  // ascending by address
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_BACKING_H_
