#include "allocator/hooks.h"

#include <algorithm>
#include <cstring>

#include "allocator/scope.h"

namespace frozen_arena {
namespace {

// What each domain's hooks wrap. Written under the GIL before the table names our functions.
constinit PyMemAllocatorEx wrapped[kDomainCount] = {};

// It lives as long as the hooks do. Asking for it is a call.
constinit PyInterpreterState* main_interpreter = nullptr;

// The domains whose hooks this thread has come through since it last asked (HooksAreInChain).
[[gnu::tls_model("initial-exec")]] thread_local constinit unsigned t_seen = 0;

constexpr PyMemAllocatorDomain kPythonDomain[kDomainCount] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                                              PYMEM_DOMAIN_OBJ};

constexpr int IndexOf(Domain domain) { return static_cast<int>(domain); }
constexpr unsigned BitOf(Domain domain) { return 1U << IndexOf(domain); }

// Another interpreter of this process may run in a thread that is routed. Its objects stay outside:
// its own GIL would not guard the arena (PEP 684), and its collector would miss what is frozen.
bool InMainInterpreter() noexcept {
  const PyThreadState* const state = CurrentThreadState();
  return state != nullptr && state->interp == main_interpreter;
}

template <Domain kDomain>
void* AllocateRouted(std::size_t size) noexcept {
  Arena* const arena = RoutedArena();
  if (arena == nullptr || !InMainInterpreter()) return nullptr;
  return arena->Allocate(LaneFor(kDomain), size);
}

template <Domain kDomain>
void* HookedMalloc(void* ctx, std::size_t size) noexcept {
  t_seen |= BitOf(kDomain);
  if (void* const block = AllocateRouted<kDomain>(size)) return block;
  return wrapped[IndexOf(kDomain)].malloc(ctx, size);
}

template <Domain kDomain>
void* HookedCalloc(void* ctx, std::size_t count, std::size_t size) noexcept {
  std::size_t total = 0;
  if (!__builtin_mul_overflow(count, size, &total)) {
    if (void* const block = AllocateRouted<kDomain>(total)) return std::memset(block, 0, total);
  }
  return wrapped[IndexOf(kDomain)].calloc(ctx, count, size);
}

template <Domain kDomain>
void HookedFree(void* ctx, void* block) noexcept {
  if (FreeIfOurs(block)) [[unlikely]]
    return;
  if constexpr (kDomain == Domain::kRaw) t_seen |= BitOf(kDomain);
  wrapped[IndexOf(kDomain)].free(ctx, block);
}

// Moves a block of ours to `target`, which may be nullptr when memory was refused: then nothing has
// happened.
void* Moved(Arena* arena, void* block, void* target, std::size_t size) noexcept {
  if (target == nullptr) return nullptr;
  std::memcpy(target, block, std::min(size, arena->UsableSize(block)));
  arena->Free(block);
  return target;
}

template <Domain kDomain>
void* HookedRealloc(void* ctx, void* block, std::size_t size) noexcept {
  const PyMemAllocatorEx& base = wrapped[IndexOf(kDomain)];
  if constexpr (kDomain != Domain::kRaw) {
    if (block == nullptr) return HookedMalloc<kDomain>(ctx, size);
  }
  Arena* const arena = FindArena(block);
  const ArenaState state = arena == nullptr ? ArenaState::kReleased : arena->state();
  const ReallocRoute route = RouteRealloc(arena != nullptr, state);
  if (route == ReallocRoute::kOrdinary) [[likely]]
    return base.realloc(ctx, block, size);
  if (arena->ResizeInPlace(block, size)) return block;
  if (route == ReallocRoute::kSameArena) {
    if (void* const target = arena->Allocate(arena->LaneOf(block), size)) {
      return Moved(arena, block, target, size);
    }
  }
  return Moved(arena, block, base.malloc(ctx, size), size);
}

template <Domain kDomain>
PyMemAllocatorEx HooksOver(const PyMemAllocatorEx& base) {
  if constexpr (kDomain == Domain::kRaw) {
    return {base.ctx, base.malloc, base.calloc, &HookedRealloc<kDomain>, &HookedFree<kDomain>};
  } else {
    return {base.ctx, &HookedMalloc<kDomain>, &HookedCalloc<kDomain>, &HookedRealloc<kDomain>,
            &HookedFree<kDomain>};
  }
}

PyMemAllocatorEx HooksOver(Domain domain, const PyMemAllocatorEx& base) {
  switch (domain) {
    case Domain::kRaw:
      return HooksOver<Domain::kRaw>(base);
    case Domain::kMem:
      return HooksOver<Domain::kMem>(base);
    case Domain::kObj:
      return HooksOver<Domain::kObj>(base);
  }
  __builtin_unreachable();
}

}  // namespace

void PutHooks(Domain domain) noexcept {
  main_interpreter = PyInterpreterState_Main();
  PyMemAllocatorEx& base = wrapped[IndexOf(domain)];
  PyMem_GetAllocator(kPythonDomain[IndexOf(domain)], &base);
  PyMemAllocatorEx hooks = HooksOver(domain, base);
  PyMem_SetAllocator(kPythonDomain[IndexOf(domain)], &hooks);
}

void TakeHooksOut(Domain domain) noexcept {
  PyMem_SetAllocator(kPythonDomain[IndexOf(domain)], &wrapped[IndexOf(domain)]);
}

bool HooksAreOnTop(Domain domain) noexcept {
  PyMemAllocatorEx now{};
  PyMem_GetAllocator(kPythonDomain[IndexOf(domain)], &now);
  return now.free == HooksOver(domain, now).free;
}

bool HooksAreInChain(Domain domain) noexcept {
  const RoutingScope ordinary(nullptr);
  t_seen = 0;
  switch (domain) {
    case Domain::kRaw:
      PyMem_RawFree(PyMem_RawMalloc(1));
      break;
    case Domain::kMem:
      PyMem_Free(PyMem_Malloc(1));
      break;
    case Domain::kObj:
      PyObject_Free(PyObject_Malloc(1));
      break;
  }
  return (t_seen & BitOf(domain)) != 0;
}

}  // namespace frozen_arena
