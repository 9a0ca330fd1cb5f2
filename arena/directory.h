// Directory: what the sealed arenas of a process say of themselves to whoever looks, the process
// itself or another one that reads its memory: where their memory lies, where its pristine copy is,
// and how it is cut into blocks.
//
// The structures below are that format, and a reader that was built for another version of this
// project reads them too: kDirectoryFormat changes with them. They hold addresses as numbers, have
// no padding, and are reached from the one DirectoryRoot of the process, which a reader finds by
// its magic in the data of the shared object.
//
// Written at the seal and left alone from then on, so that children share it: 24 bytes for each
// area of 64 KiB, a bit for each OS page. Needs the GIL.
#ifndef FROZEN_ARENA_ARENA_DIRECTORY_H_
#define FROZEN_ARENA_ARENA_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "arena/backing.h"
#include "arena/bit_set.h"

namespace frozen_arena {

inline constexpr char kDirectoryMagic[16] = "frozen arena 1\n";
inline constexpr std::uint64_t kDirectoryFormat = 1;

struct DirectoryRoot {
  char magic[16];
  std::uint64_t format;
  std::uint64_t self;   // the address of this, which tells it from copies of it; 0: no arena yet
  std::uint64_t first;  // DirectoryEntry, youngest first; 0: none
  std::uint64_t note;   // what the layer above leaves here: bytes, see SetDirectoryNote
  std::uint64_t note_size;  // in bytes
};

// A part of a lane that lies in one piece. OS pages without a live block have been given back at
// the seal and must not be read: that would bring them back.
struct DirectoryExtent {
  std::uint64_t address;
  std::uint64_t size;      // in bytes
  std::uint64_t pristine;  // where the first byte of the pristine copy is mapped; 0: there is none
  std::uint64_t lane;      // LaneKind
  std::uint64_t live;  // 64-bit words, a bit for each OS page that holds a live block; 0: all do
};

// Blocks of one size, one behind another; the last may not fit whole.
struct DirectoryArea {
  std::uint64_t begin;
  std::uint64_t size;        // in bytes
  std::uint64_t block_size;  // in bytes
};

struct DirectoryEntry {
  std::uint64_t next;
  std::uint64_t number;    // arenas of a process are numbered from 1 as they are sealed
  std::uint64_t complete;  // 0: there was no memory for all of it
  std::uint64_t extents;   // DirectoryExtent, ascending by address
  std::uint64_t extent_count;
  std::uint64_t areas;  // DirectoryArea, ascending by address
  std::uint64_t area_count;
};

// The address of the DirectoryRoot of this process.
std::uintptr_t AddressOfDirectory() noexcept;

// What the layer above wants said to whoever reads a directory. The bytes stay the caller's, and
// must stay as they are.
void SetDirectoryNote(const void* bytes, std::size_t size) noexcept;

// The entry of one arena: filled in by the parts of its lanes as they are sealed.
class Directory {
 public:
  Directory() = default;
  ~Directory() { Withdraw(); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // What is added from here on belongs to this lane.
  void BeginLane(std::size_t lane) noexcept { lane_ = lane; }
  // `live`: by OS page, counted from `base`; nullptr: all. Without memory the entry stays
  // incomplete, and says so.
  void AddExtent(const Extent& extent, std::uintptr_t pristine, const BitSet* live,
                 std::uintptr_t base) noexcept;
  void AddArea(std::uintptr_t begin, std::size_t size, std::size_t block_size) noexcept;

  // Enters it in the list, unless it is empty.
  void Publish() noexcept;
  // Takes it out again, and forgets all.
  void Withdraw() noexcept;
  // The address of the DirectoryEntry, 0 as long as it is in no list.
  std::uintptr_t entry() const noexcept;

 private:
  std::size_t lane_ = 0;
  DirectoryEntry entry_{};
  bool published_ = false;
  bool complete_ = true;
  std::vector<DirectoryExtent> extents_;
  std::vector<DirectoryArea> areas_;
  std::vector<std::vector<std::uint64_t>> live_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_DIRECTORY_H_
