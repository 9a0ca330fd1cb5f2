// AddressSpace: where arenas lie. Preferred addresses go up from 0x200000000000 and are the same in
// every process that does the same; nothing is reserved there (a reservation counts against
// RLIMIT_AS), because the kernel hands out addresses from the other end. Where preferred addresses
// do not exist (39-bit address spaces) a range is reserved wherever the kernel puts it.
#ifndef FROZEN_ARENA_ARENA_ADDRESS_SPACE_H_
#define FROZEN_ARENA_ARENA_ADDRESS_SPACE_H_

#include <cstddef>
#include <cstdint>

#include "arena/os_memory.h"

namespace frozen_arena {

struct AddressRange {
  std::uintptr_t begin = 0;
  std::size_t size = 0;
  bool reserved = false;  // the range is held by a PROT_NONE mapping, into which we map

  std::uintptr_t end() const { return begin + size; }
  explicit operator bool() const { return size != 0; }
};

class AddressSpace {
 public:
  // A range that nobody uses, aligned to `alignment` (a power of two, at least a granule). Empty
  // when refused. The caller holds the mapping lock.
  static AddressRange Take(std::size_t size, std::size_t alignment) noexcept;

  // Gives a range back, to be taken again: a process that makes one arena after another shall not
  // go through all addresses. What was mapped in a preferred range has to be unmapped by now; a
  // reserved one goes with all that is mapped in it.
  static void Give(const AddressRange& range) noexcept;

  // Makes memory of a part of `range`: of a file when `descriptor` is not -1, else ordinary private
  // memory.
  static os::MapResult Map(const AddressRange& range, std::uintptr_t address, std::size_t size,
                           int descriptor, std::size_t offset) noexcept;
  // Undoes Map.
  static void Unmap(const AddressRange& range, std::uintptr_t address, std::size_t size) noexcept;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_ADDRESS_SPACE_H_
