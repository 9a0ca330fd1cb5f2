// The operating system, as far as an arena needs it: one function for each request, with one return
// convention (true or a value: done; false, -1 or nullptr: refused, and nothing has changed).
//
// Every mapping is MAP_NORESERVE: a private mapping would otherwise add its size to Committed_AS,
// and again at each fork. No function here allocates from the heap or takes a lock; all may be
// called without the GIL. Every request passes faults.h first, which refuses it when a test has
// said so.
#ifndef FROZEN_ARENA_ARENA_OS_MEMORY_H_
#define FROZEN_ARENA_ARENA_OS_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace frozen_arena::os {

// Bytes in an OS page of this machine.
std::size_t PageSize() noexcept;

// What became of a request for memory at a fixed address.
enum class MapResult : std::uint8_t { kMapped, kOccupied, kRefused };

// Ordinary private memory, readable and writable, at exactly `address`, which must be free
// (MAP_FIXED_NOREPLACE, Linux 4.17; older kernels take it as a hint, which is checked).
//
// kOver: `address` lies in a range that we hold by a reservation, which is replaced in one step. To
// unmap it first would let another thread in.
enum class Placement : std::uint8_t { kFree, kOver };
MapResult MapAnonymous(std::uintptr_t address, std::size_t size,
                       Placement placement = Placement::kFree) noexcept;

// A shared, writable mapping of `descriptor` from `offset`, at exactly `address`.
MapResult MapShared(std::uintptr_t address, std::size_t size, int descriptor, std::size_t offset,
                    Placement placement = Placement::kFree) noexcept;

// A private, writable mapping of `descriptor` from `offset`, at exactly `address`, which is free.
MapResult MapPrivate(std::uintptr_t address, std::size_t size, int descriptor,
                     std::size_t offset) noexcept;

// Replaces what is mapped at `address` by a private, writable mapping of the file.
bool RemapPrivate(std::uintptr_t address, std::size_t size, int descriptor,
                  std::size_t offset) noexcept;

// A read-only private mapping of the file, anywhere (`address` 0) or in place of what is at
// `address`. Left out of core dumps: it shows what the dump of the arena shows. 0 when refused.
std::uintptr_t MapPristine(std::uintptr_t address, std::size_t size, int descriptor,
                           std::size_t offset) noexcept;

// Address space without memory, anywhere, aligned to `alignment` (a multiple of the OS page). 0
// when refused.
std::uintptr_t Reserve(std::size_t size, std::size_t alignment) noexcept;
// Turns mapped memory back into reserved address space.
void Unback(std::uintptr_t address, std::size_t size) noexcept;
void Unmap(std::uintptr_t address, std::size_t size) noexcept;

// Whether the process could still map kRoomLeft when `size` bytes more are mapped. Without
// RLIMIT_AS always: an arena may not take the last of what the limit grants, because what it cannot
// take goes to the ordinary heap, which needs some too.
inline constexpr std::size_t kRoomLeft = std::size_t{16} << 20;
bool LeavesRoom(std::size_t size) noexcept;

// Bytes of memory and swap of this machine when it was first asked for (sysinfo(2)).
std::size_t TotalMemory() noexcept;

// Whether this process has another thread, of whatever language; yes when the kernel does not say.
bool HasOtherThreads() noexcept;

// Children of later forks do not get what is mapped here now (MADV_DONTFORK, Linux 2.6.16).
void KeepFromChildren(std::uintptr_t address, std::size_t size) noexcept;

// Why arenas of this process may not lie in files, or nullptr. A file that is mapped shared is made
// private at the seal and at a fork, so nothing may be set that grants the first and refuses the
// second (vm.overcommit_memory=2 and RLIMIT_DATA count private memory only; under the former a hole
// of a file that cannot be filled is a SIGBUS), or that ends the process when a file grows
// (RLIMIT_FSIZE). A static text.
const char* WhyNoFiles() noexcept;

// A file in memory that can be sealed and does not reach exec'd programs. -1 where WhyNoFiles has a
// reason, or memfd_create is missing or refused (Linux 3.17; some sandboxes). `name` is what
// /proc/PID/maps calls its mappings, "/memfd:NAME (deleted)": tools outside know ours by it.
int CreateMemfd(const char* name) noexcept;
void Close(int descriptor) noexcept;
// Which file a descriptor is of; two that are equal are of the same. All zero: it is of none.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};
FileIdentity IdentityOf(int descriptor) noexcept;
bool Truncate(int descriptor, std::size_t size) noexcept;
bool WriteAll(int descriptor, const void* source, std::size_t size, std::size_t offset) noexcept;
// Gives the memory behind a range of the file back; it reads as zero afterwards. Refused once
// sealed.
bool PunchFile(int descriptor, std::size_t offset, std::size_t size) noexcept;
// The same for a shared mapping of a file (MADV_REMOVE; refused where memory is locked), and for
// ordinary private memory.
bool PunchShared(std::uintptr_t address, std::size_t size) noexcept;
bool PunchAnonymous(std::uintptr_t address, std::size_t size) noexcept;
// Drops what this process has copied of private mappings, which show their files again
// (MADV_DONTNEED; refused where memory is locked, mlock(2)). One request for all where the kernel
// takes that from a process for itself (process_madvise(2), Linux 6.13), otherwise one each, for
// twice the time. Returns how many bytes were dropped.
struct Stretch {  // as the kernel's iovec
  std::uintptr_t address;
  std::size_t size;
};
std::size_t DropCopies(const Stretch* stretches, std::size_t count) noexcept;

// Moves the OS pages of a private mapping of a file elsewhere, and returns where; what stays shows
// the file again and is for the kernel a mapping in which nothing was ever copied
// (MREMAP_DONTUNMAP, Linux 5.13), if [address, address + size) was all of it. One step for whoever
// reads there. 0 when refused: an older kernel, several mappings, no address space for it. What
// stays is not locked in memory any more (mlock(2)).
std::uintptr_t MoveAway(std::uintptr_t address, std::size_t size) noexcept;

// Tells the kernel how a mapping is read (madvise(2)). For memory that comes from no disk that has
// one effect: mappings beside each other that were told different things stay two.
enum class ReadAhead : std::uint8_t { kUsual, kNone, kMuch };
bool Tell(const Stretch& stretch, ReadAhead what) noexcept;

// Makes the file immutable for everybody. Refused with EBUSY while any process maps it shared and
// writable.
bool SealFile(int descriptor) noexcept;

// Makes one huge page of the granule at `address` (MADV_COLLAPSE, Linux 6.1). The granule must be
// mapped and at least one of its OS pages touched.
bool Collapse(std::uintptr_t address) noexcept;

// Reads the 64-bit entries of /proc/self/pagemap for `count` OS pages from `address`.
bool ReadPagemap(std::uintptr_t address, std::uint64_t* entries, std::size_t count) noexcept;

// Seconds of the monotonic clock.
double Seconds() noexcept;

}  // namespace frozen_arena::os

#endif  // FROZEN_ARENA_ARENA_OS_MEMORY_H_
