#include "arena/fork_guard.h"

#include <algorithm>
#include <new>
#include <vector>

#include <pthread.h>

#include "arena/arena.h"
#include "arena/mapping_lock.h"
#include "arena/track.h"
#include "arena/walk_lock.h"

namespace frozen_arena {
namespace {

constinit std::mutex mapping_mutex;
constinit std::mutex walk_mutex;

// Guarded by the mapping lock. Never deleted: forks come until the process ends.
constinit std::vector<Arena*>* watched = nullptr;

template <typename Visit>
void ForEachWatched(Visit visit) {
  Track::EndSharing();
  if (watched == nullptr) return;
  for (Arena* const arena : *watched) visit(arena);
}

void BeforeFork() {
  WalkMutex().lock();
  MappingMutex().lock();
  ForEachWatched([](Arena* arena) { arena->PrepareFork(); });
}

void AfterForkInParent() {
  ForEachWatched([](Arena* arena) { arena->AfterForkInParent(); });
  MappingMutex().unlock();
  WalkMutex().unlock();
}

void AfterForkInChild() {
  ForEachWatched([](Arena* arena) { arena->AfterForkInChild(); });
  MappingMutex().unlock();
  WalkMutex().unlock();
}

}  // namespace

std::mutex& WalkMutex() noexcept { return walk_mutex; }
std::mutex& MappingMutex() noexcept { return mapping_mutex; }

Status ForkGuard::Watch(Arena* arena) noexcept {
  static const int registered =
      ::pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
  if (registered != 0) return Status::kNoMemory;
  try {
    const MappingLock lock(MappingMutex());
    if (watched == nullptr) watched = new std::vector<Arena*>;
    watched->push_back(arena);
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

void ForkGuard::Unwatch(Arena* arena) noexcept {
  const MappingLock lock(MappingMutex());
  if (watched == nullptr) return;
  watched->erase(std::remove(watched->begin(), watched->end(), arena), watched->end());
}

}  // namespace frozen_arena
