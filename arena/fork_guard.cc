#include "arena/fork_guard.h"

#include <algorithm>
#include <new>
#include <vector>

#include <pthread.h>

#include "arena/arena.h"
#include "arena/mapping_lock.h"

namespace frozen_arena {
namespace {

// Guarded by the mapping lock.
std::vector<Arena*>& Watched() {
  static std::vector<Arena*> arenas;
  return arenas;
}

void BeforeFork() {
  MappingMutex().lock();
  for (Arena* const arena : Watched()) arena->PrepareFork();
}

void AfterForkInParent() { MappingMutex().unlock(); }

void AfterForkInChild() {
  for (Arena* const arena : Watched()) arena->AfterForkInChild();
  MappingMutex().unlock();
}

}  // namespace

std::mutex& MappingMutex() noexcept {
  static std::mutex& mutex = *new std::mutex;  // never destroyed: frees come until the process ends
  return mutex;
}

Status ForkGuard::Watch(Arena* arena) noexcept {
  static const int registered =
      ::pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
  if (registered != 0) return Status::kNoMemory;
  try {
    const MappingLock lock(MappingMutex());
    Watched().push_back(arena);
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

void ForkGuard::Unwatch(Arena* arena) noexcept {
  const MappingLock lock(MappingMutex());
  std::vector<Arena*>& watched = Watched();
  watched.erase(std::remove(watched.begin(), watched.end(), arena), watched.end());
}

}  // namespace frozen_arena
