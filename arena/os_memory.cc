#include "arena/os_memory.h"

#include <atomic>
#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arena/faults.h"
#include "arena/units.h"

// Older kernel headers lack these; the numbers are the kernel's ABI (include/uapi).
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

namespace frozen_arena::os {
namespace {

void* Pointer(std::uintptr_t address) {
  return reinterpret_cast<void*>(
      address);  // NOLINT(performance-no-int-to-ptr): addresses are our trade
}

MapResult MapAt(std::uintptr_t address, std::size_t size, int flags, int descriptor,
                std::size_t offset, Placement placement) noexcept {
  if (Injected(Fault::kMemory)) return MapResult::kRefused;
  const int where = placement == Placement::kOver ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  const int all = flags | MAP_NORESERVE | where;
  void* const got = ::mmap(Pointer(address), size, PROT_READ | PROT_WRITE, all, descriptor,
                           static_cast<off_t>(offset));
  if (got == MAP_FAILED) return errno == EEXIST ? MapResult::kOccupied : MapResult::kRefused;
  if (got != Pointer(address)) {  // a kernel before 4.17 took the address as a hint
    ::munmap(got, size);
    return MapResult::kOccupied;
  }
  return MapResult::kMapped;
}

}  // namespace

std::size_t PageSize() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

MapResult MapAnonymous(std::uintptr_t address, std::size_t size, Placement placement) noexcept {
  return MapAt(address, size, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, placement);
}

MapResult MapShared(std::uintptr_t address, std::size_t size, int descriptor, std::size_t offset,
                    Placement placement) noexcept {
  return MapAt(address, size, MAP_SHARED, descriptor, offset, placement);
}

MapResult MapPrivate(std::uintptr_t address, std::size_t size, int descriptor,
                     std::size_t offset) noexcept {
  return MapAt(address, size, MAP_PRIVATE, descriptor, offset, Placement::kFree);
}

bool RemapPrivate(std::uintptr_t address, std::size_t size, int descriptor,
                  std::size_t offset) noexcept {
  if (Injected(Fault::kPrivate) || Injected(Fault::kMemory)) return false;
  return ::mmap(Pointer(address), size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, descriptor,
                static_cast<off_t>(offset)) != MAP_FAILED;
}

std::uintptr_t MapPristine(std::uintptr_t address, std::size_t size, int descriptor,
                           std::size_t offset) noexcept {
  if (Injected(Fault::kMemory)) return 0;
  const int fixed = address != 0 ? MAP_FIXED : 0;
  void* const got = ::mmap(Pointer(address), size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE | fixed,
                           descriptor, static_cast<off_t>(offset));
  if (got == MAP_FAILED) return 0;
  ::madvise(got, size, MADV_DONTDUMP);
  return reinterpret_cast<std::uintptr_t>(got);
}

std::uintptr_t Reserve(std::size_t size, std::size_t alignment) noexcept {
  if (Injected(Fault::kMemory)) return 0;
  const std::size_t padded = size + alignment;
  void* const got =
      ::mmap(nullptr, padded, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(got);
  const std::uintptr_t aligned = RoundUp(begin, alignment);
  if (aligned != begin) ::munmap(got, aligned - begin);
  const std::uintptr_t end = begin + padded;
  if (end != aligned + size) ::munmap(Pointer(aligned + size), end - aligned - size);
  return aligned;
}

void Unback(std::uintptr_t address, std::size_t size) noexcept {
  // If it is refused the memory stays mapped, which harms nobody.
  [[maybe_unused]] const void* const got =
      ::mmap(Pointer(address), size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void Unmap(std::uintptr_t address, std::size_t size) noexcept { ::munmap(Pointer(address), size); }

bool LeavesRoom(std::size_t size) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
  void* const got = ::mmap(nullptr, size + kRoomLeft, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return false;
  ::munmap(got, size + kRoomLeft);
  return true;
}

std::size_t TotalMemory() noexcept {
  // Asked for each time that a lane grows. No lock: a thread may fork beside us.
  static constinit std::atomic<std::size_t> known{0};
  std::size_t total = known.load(std::memory_order_relaxed);
  if (total != 0) return total;
  struct sysinfo facts {};
  if (::sysinfo(&facts) != 0) return std::size_t{1} << 46;
  total = (std::size_t{facts.totalram} + facts.totalswap) * facts.mem_unit;
  known.store(total, std::memory_order_relaxed);
  return total;
}

bool HasOtherThreads() noexcept {
  if (Injected(Fault::kProc)) return true;
  struct stat facts {};
  return ::stat("/proc/self/task", &facts) != 0 || facts.st_nlink != 3;  // ".", ".." and one thread
}

void KeepFromChildren(std::uintptr_t address, std::size_t size) noexcept {
  ::madvise(Pointer(address), size, MADV_DONTFORK);
}

const char* WhyNoFiles() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return "RLIMIT_DATA is set";
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return "RLIMIT_FSIZE is set";
  const int file = ::open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  char mode = '0';
  const bool read = ::pread(file, &mode, 1, 0) == 1;
  ::close(file);
  return read && mode == '2' ? "vm.overcommit_memory is 2" : nullptr;
}

int CreateMemfd(const char* name) noexcept {
  if (WhyNoFiles() != nullptr) return -1;
  if (Injected(Fault::kMemfd) || Injected(Fault::kMemory)) return -1;
  // MFD_NOEXEC_SEAL (Linux 6.3) takes the right to execute from the file; older kernels refuse the
  // flag.
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const long got = ::syscall(SYS_memfd_create, name, flags | MFD_NOEXEC_SEAL);
  if (got >= 0 || errno != EINVAL) return static_cast<int>(got);
  return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}

void Close(int descriptor) noexcept {
  if (descriptor >= 0) ::close(descriptor);
}

FileIdentity IdentityOf(int descriptor) noexcept {
  struct stat facts {};
  if (descriptor < 0 || ::fstat(descriptor, &facts) != 0) return {};
  return {facts.st_dev, facts.st_ino};
}

bool Truncate(int descriptor, std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return false;
  return ::ftruncate(descriptor, static_cast<off_t>(size)) == 0;
}

bool WriteAll(int descriptor, const void* source, std::size_t size, std::size_t offset) noexcept {
  if (Injected(Fault::kMemory)) return false;
  const char* from = static_cast<const char*>(source);
  while (size > 0) {
    const ssize_t wrote = ::pwrite(descriptor, from, size, static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    from += wrote;
    offset += static_cast<std::size_t>(wrote);
    size -= static_cast<std::size_t>(wrote);
  }
  return true;
}

bool PunchFile(int descriptor, std::size_t offset, std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return false;
  return ::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(offset), static_cast<off_t>(size)) == 0;
}

bool PunchShared(std::uintptr_t address, std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return false;
  return ::madvise(Pointer(address), size, MADV_REMOVE) == 0;
}

bool PunchAnonymous(std::uintptr_t address, std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return false;
  return ::madvise(Pointer(address), size, MADV_DONTNEED) == 0;
}

std::size_t DropCopies(const Stretch* stretches, std::size_t count) noexcept {
  static_assert(sizeof(Stretch) == sizeof(iovec));
  if (Injected(Fault::kMemory)) return 0;
  std::size_t together = 0;  // bytes that one request for all has dropped, from the first on
  const auto self = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  if (self >= 0) {
    const long advised = ::syscall(SYS_process_madvise, self, stretches, count, MADV_DONTNEED, 0);
    if (advised > 0) together = static_cast<std::size_t>(advised);
    ::close(self);
  }
  std::size_t passed = 0;
  std::size_t dropped = 0;
  for (const Stretch* one = stretches; one != stretches + count; ++one) {
    passed += one->size;
    if (passed <= together || ::madvise(Pointer(one->address), one->size, MADV_DONTNEED) == 0)
      dropped += one->size;
  }
  return dropped;
}

std::uintptr_t MoveAway(std::uintptr_t address, std::size_t size) noexcept {
  if (Injected(Fault::kMemory)) return 0;
  void* const got =
      ::mremap(Pointer(address), size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  return got == MAP_FAILED ? 0 : reinterpret_cast<std::uintptr_t>(got);
}

bool Tell(const Stretch& stretch, ReadAhead what) noexcept {
  if (Injected(Fault::kMemory)) return false;
  const int advice = what == ReadAhead::kNone   ? MADV_RANDOM
                     : what == ReadAhead::kMuch ? MADV_SEQUENTIAL
                                                : MADV_NORMAL;
  return ::madvise(Pointer(stretch.address), stretch.size, advice) == 0;
}

bool SealFile(int descriptor) noexcept {
  if (Injected(Fault::kMemory)) return false;
  return ::fcntl(descriptor, F_ADD_SEALS,
                 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
}

bool Collapse(std::uintptr_t address) noexcept {
  if (Injected(Fault::kCollapse) || Injected(Fault::kMemory)) return false;
  return ::madvise(Pointer(address), kGranuleSize, MADV_COLLAPSE) == 0;
}

bool ReadPagemap(std::uintptr_t address, std::uint64_t* entries, std::size_t count) noexcept {
  if (Injected(Fault::kProc)) return false;
  const int descriptor = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  char* into = reinterpret_cast<char*>(entries);
  std::size_t left = count * sizeof(std::uint64_t);
  auto offset = static_cast<off_t>(address / PageSize() * sizeof(std::uint64_t));
  while (left > 0) {
    const ssize_t got = ::pread(descriptor, into, left, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    into += got;
    offset += got;
    left -= static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  return left == 0;
}

double Seconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace frozen_arena::os
