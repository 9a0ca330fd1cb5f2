// What the kernel of this machine can do, and what it says of this process.
#ifndef FROZEN_ARENA_TESTS_ARENA_KERNEL_H_
#define FROZEN_ARENA_TESTS_ARENA_KERNEL_H_

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include "arena/address_space.h"
#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena::testing {

// Whether MADV_COLLAPSE works on files in memory; then it does on ordinary memory too. Leaves a
// mapping behind: for a child.
inline bool ThisKernelCollapses() {
  const AddressRange range = AddressSpace::Take(kGranuleSize, kGranuleSize);
  const int file = os::CreateMemfd("frozen-arena:test");
  const bool collapsed =
      os::Truncate(file, kGranuleSize) &&
      AddressSpace::Map(range, range.begin, kGranuleSize, file, 0) == os::MapResult::kMapped &&
      std::memset(reinterpret_cast<void*>(range.begin), 1, 1) != nullptr &&  // NOLINT
      os::Collapse(range.begin);
  os::Close(file);
  return collapsed;
}

// Whether the memory of a process says what it uses: ThreadSanitizer has shadow memory of its own,
// several bytes for each that is written to.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kMemoryIsTold = false;
#else
inline constexpr bool kMemoryIsTold = true;
#endif

// Bytes of memory that belongs to this process alone, and behind the files that it holds open,
// mapped or not.
inline std::size_t MemoryOfThisProcess() {
  std::ifstream lines("/proc/self/status");
  std::size_t kib = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("RssAnon:", 0) == 0) kib += std::stoul(line.substr(8));
  }
  std::size_t bytes = kib * kKiB;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    struct stat file {};
    if (::stat(entry.path().c_str(), &file) == 0 && S_ISREG(file.st_mode)) {
      bytes += static_cast<std::size_t>(file.st_blocks) * 512;
    }
  }
  return bytes;
}

}  // namespace frozen_arena::testing

#endif  // FROZEN_ARENA_TESTS_ARENA_KERNEL_H_
