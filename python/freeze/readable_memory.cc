#include "python/freeze/readable_memory.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace frozen_arena {
namespace {

// Most freezes ask about a few dozen OS pages. A process with thousands of arenas has tens of
// thousands of mappings, and reading their list takes milliseconds; a probe takes a microsecond.
constexpr std::size_t kProbesBeforeMaps = 256;

// Smaller than or equal to every OS page size, so that a probe of each covers a range.
constexpr std::uintptr_t kProbeSize = 4096;

bool ReadFile(const char* path, std::string* text) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char buffer[1 << 14];
  ssize_t got;
  while ((got = read(file, buffer, sizeof buffer)) > 0) {
    text->append(buffer, static_cast<std::size_t>(got));
  }
  close(file);
  return got == 0;
}

}  // namespace

ReadableMemory::~ReadableMemory() {
  for (const int end : pipe_) {
    if (end >= 0) close(end);
  }
}

// Lines look like "7f00-7fff rw-p 0000 08:01 123   /path".
bool ReadableMemory::ReadMaps() {
  std::string text;
  if (!ReadFile("/proc/self/maps", &text)) return false;
  const char* line = text.c_str();
  while (*line != '\0') {
    char* rest = nullptr;
    const std::uintptr_t begin = std::strtoul(line, &rest, 16);
    const std::uintptr_t end = *rest == '-' ? std::strtoul(rest + 1, &rest, 16) : 0;
    if (*rest == ' ' && rest[1] == 'r') {
      if (!ranges_.empty() && ranges_.back().end == begin) {
        ranges_.back().end = end;
      } else {
        ranges_.push_back({begin, end});
      }
    }
    const char* const newline = std::strchr(rest, '\n');
    if (newline == nullptr) break;
    line = newline + 1;
  }
  return !ranges_.empty();
}

// The kernel copies the byte into the pipe, or says EFAULT.
bool ReadableMemory::Probe(std::uintptr_t page) {
  if (pipe_[1] < 0 && pipe2(pipe_, O_NONBLOCK | O_CLOEXEC) != 0) pipe_[0] = pipe_[1] = -1;
  const auto [place, added] = probed_.try_emplace(page, false);
  if (added) {
    char byte;
    if (pipe_[1] < 0) {  // no descriptor is left; sandboxes refuse this one more often
      const iovec here{&byte, 1};
      const iovec there{reinterpret_cast<void*>(page), 1};
      place->second = process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
      return place->second;
    }
    place->second = write(pipe_[1], reinterpret_cast<const void*>(page), 1) == 1;
    if (place->second && read(pipe_[0], &byte, 1) != 1) place->second = false;
  }
  return place->second;
}

bool ReadableMemory::Search(std::uintptr_t begin, std::size_t size) {
  if (!maps_tried_ && probed_.size() >= kProbesBeforeMaps) {
    maps_tried_ = true;
    if (!ReadMaps()) ranges_.clear();
  }
  if (ranges_.empty()) {
    const std::uintptr_t last = (begin + size - 1) / kProbeSize;
    for (std::uintptr_t page = begin / kProbeSize; page <= last; ++page) {
      if (!Probe(page * kProbeSize)) return false;
    }
    return begin + size > begin;
  }
  const auto after = std::upper_bound(
      ranges_.begin(), ranges_.end(), begin,
      [](std::uintptr_t value, const Range& range) { return value < range.begin; });
  if (after == ranges_.begin()) return false;
  const Range& range = *(after - 1);
  if (begin >= range.end || size > range.end - begin) return false;
  last_ = range;
  return true;
}

}  // namespace frozen_arena
