#include "arena/write_watch.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <memory>
#include <new>

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "arena/arena.h"
#include "arena/os_memory.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Slices of one lane, side by side.
struct Stretch {
  std::uintptr_t address;
  std::size_t size;
  std::size_t first_page;  // its number among all OS pages of the watch
};

struct Watch {
  std::vector<Stretch> stretches;                // ascending
  std::vector<std::atomic<std::uint64_t>> seen;  // a bit for each OS page
  WriteWatch::Recorder recorder = nullptr;
  std::atomic<bool> full{false};
};

// Seen by handlers: `inside` counts those that may be looking at `current`.
std::atomic<Watch*> current{nullptr};
std::atomic<int> inside{0};

// Who handled SIGSEGV before us: when we came last, and when we came first. They differ when
// somebody has put a handler above ours meanwhile, which then hands on to ours.
struct sigaction before_last {};
struct sigaction before_first {};
bool installed_once = false;

struct ThreadState {
  bool chaining;           // the handler of somebody else runs, called by ours
  std::uintptr_t retried;  // an address that faulted although nothing is watched
  int retries;
  sigjmp_buf* reading;  // where to go on when reading fails
};
[[gnu::tls_model("initial-exec")]] thread_local constinit ThreadState t_state{};

void OnFault(int number, siginfo_t* info, void* context);

const Stretch* Find(const Watch& watch, std::uintptr_t address) noexcept {
  auto after =
      std::upper_bound(watch.stretches.begin(), watch.stretches.end(), address,
                       [](std::uintptr_t a, const Stretch& one) { return a < one.address; });
  if (after == watch.stretches.begin()) return nullptr;
  const Stretch& stretch = *--after;
  return address - stretch.address < stretch.size ? &stretch : nullptr;
}

void* Pointer(std::uintptr_t address) noexcept {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
}

// Async-signal-safe. False when the kernel refuses: each change in the middle of a mapping makes
// two more (vm.max_map_count), and a stretch may end with OS pages that are not mapped.
bool Protect(std::uintptr_t address, std::size_t size, int protection) noexcept {
  return ::mprotect(Pointer(address), size, protection) == 0;
}

constexpr int kReadOnly = PROT_READ;
constexpr int kWritable = PROT_READ | PROT_WRITE;

// Makes memory writable again where it still belongs to an arena: an arena whose last object has
// died meanwhile has given its memory back, and the place may be somebody else's.
void Unprotect(const Watch& watch) noexcept {
  for (const Stretch& stretch : watch.stretches) {
    const std::uintptr_t end = stretch.address + stretch.size;
    for (std::uintptr_t at = stretch.address; at < end;) {
      std::uintptr_t last = at;
      while (last < end && FindArena(Pointer(last)) != nullptr) last += kSliceSize;
      if (last > at) Protect(at, last - at, kWritable);
      at = last + kSliceSize;
    }
  }
}

// The slices of a lane. May throw std::bad_alloc.
void AddSlices(const Arena* arena, LaneKind lane, std::vector<Stretch>* stretches) {
  const Arena::AddressSpan span = arena->SpanOf(lane);
  bool open = false;
  for (std::uintptr_t at = span.begin / kSliceSize * kSliceSize; at < span.end; at += kSliceSize) {
    const bool ours = FindArena(Pointer(at)) == arena && arena->LaneOf(Pointer(at)) == lane;
    if (ours && open) stretches->back().size += kSliceSize;
    if (ours && !open) stretches->push_back({at, kSliceSize, 0});
    open = ours;
  }
}

// Records the write if it is the first to its OS page, and makes that writable. False when the
// kernel refuses.
bool RecordWrite(Watch* watch, const Stretch& stretch, std::uintptr_t address,
                 std::uintptr_t instruction, bool* first) noexcept {
  const std::size_t size = os::PageSize();
  const std::size_t index = stretch.first_page + (address - stretch.address) / size;
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  *first = (watch->seen[index / 64].fetch_or(bit) & bit) == 0;
  if (*first && !watch->full.load() && !watch->recorder(address, instruction)) {
    watch->full.store(true);
    Unprotect(*watch);
  }
  // One more part of the mapping may be more than the kernel grants; then all of it is writable.
  return Protect(address / size * size, size, kWritable) ||
         Protect(stretch.address, stretch.size, kWritable);
}

std::uintptr_t InstructionOf(const void* context) noexcept {
  const auto* const machine = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<std::uintptr_t>(machine->uc_mcontext.pc);
#else
  static_cast<void>(machine);
  return 0;
#endif
}

// Whether the instruction may run once more. A fault at a place that should be writable is one of
// another thread that was under way when the OS page became so, or the watch ended; what faults
// again and again is something else, a jump into data for one.
bool MayTryAgain(std::uintptr_t address) noexcept {
  if (t_state.retried != address) t_state.retries = 0;
  t_state.retried = address;
  return ++t_state.retries <= 3;
}

// The fault was ours, and the instruction may run again.
bool Handle(const siginfo_t& info, const void* context) noexcept {
  if (info.si_code != SEGV_ACCERR) return false;
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  inside.fetch_add(1);
  Watch* const watch = current.load();
  bool ours = false;
  bool first = false;
  if (watch != nullptr) {
    const Stretch* const stretch = Find(*watch, address);
    ours =
        stretch != nullptr && RecordWrite(watch, *stretch, address, InstructionOf(context), &first);
  }
  inside.fetch_sub(1);
  if (ours && first) {
    t_state.chaining = false;
    t_state.retried = 0;
    return true;
  }
  if (watch == nullptr) ours = FindArena(info.si_addr) != nullptr;
  return ours && MayTryAgain(address);
}

void CallNext(int number, siginfo_t* info, void* context) noexcept {
  const struct sigaction& next = t_state.chaining ? before_first : before_last;
  const bool with_info = (next.sa_flags & SA_SIGINFO) != 0;
  if (!with_info && next.sa_handler == SIG_IGN && info->si_code <= 0) return;
  if (!with_info && (next.sa_handler == SIG_DFL || next.sa_handler == SIG_IGN)) {
    ::signal(number, SIG_DFL);
    if (info->si_code <= 0) ::raise(number);  // sent by somebody; a fault comes again by itself
    return;
  }
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  if ((next.sa_flags & SA_NODEFER) == 0) ::sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const bool chaining = t_state.chaining;
  t_state.chaining = true;
  if (with_info) {
    next.sa_sigaction(number, info, context);
  } else {
    next.sa_handler(number);
  }
  t_state.chaining = chaining;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void OnFault(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  if (t_state.reading != nullptr) siglongjmp(*t_state.reading, 1);
  if (!Handle(*info, context)) CallNext(number, info, context);
  errno = saved;
}

bool IsOurs(const struct sigaction& action) noexcept {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == &OnFault;
}

bool Install() noexcept {
  struct sigaction now {};
  if (::sigaction(SIGSEGV, nullptr, &now) != 0) return false;
  if (IsOurs(now)) return true;
  before_last = now;
  if (!installed_once) before_first = now;
  installed_once = true;
  struct sigaction ours {};
  ours.sa_sigaction = &OnFault;
  // NODEFER: the recorder reads what may not be there, and a thread that is interrupted by another
  // fault meanwhile would be ended.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  ::sigfillset(&ours.sa_mask);
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
    ::sigdelset(&ours.sa_mask, fatal);
  return ::sigaction(SIGSEGV, &ours, nullptr) == 0;
}

// With other threads our handler stays: a fault of one of them may be on its way to it.
void Uninstall() noexcept {
  struct sigaction now {};
  if (os::HasOtherThreads() || ::sigaction(SIGSEGV, nullptr, &now) != 0 || !IsOurs(now)) return;
  if (::sigaction(SIGSEGV, &before_last, nullptr) == 0) installed_once = false;
}

void EndInChild() {
  inside.store(0);
  const Watch* const watch = current.exchange(nullptr);
  if (watch != nullptr) Unprotect(*watch);  // which is leaked: a child may not free here
}

}  // namespace

Status WriteWatch::Begin(const std::vector<Arena*>& arenas, Recorder recorder) noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, &EndInChild);
  if (registered != 0) return Status::kNoMemory;
  if (IsOn()) return Status::kWrongState;
  try {
    auto watch = std::make_unique<Watch>();
    watch->recorder = recorder;
    for (const Arena* const arena : arenas) {
      if (arena->state() != ArenaState::kSealed) return Status::kWrongState;
      AddSlices(arena, LaneKind::kObjects, &watch->stretches);
      AddSlices(arena, LaneKind::kPayload, &watch->stretches);
    }
    std::sort(watch->stretches.begin(), watch->stretches.end(),
              [](const Stretch& a, const Stretch& b) { return a.address < b.address; });
    std::size_t pages = 0;
    for (Stretch& stretch : watch->stretches) {
      stretch.first_page = pages;
      pages += stretch.size / os::PageSize();
    }
    watch->seen = std::vector<std::atomic<std::uint64_t>>(pages / 64 + 1);
    if (!Install()) return Status::kUnsupported;
    Watch* const started = watch.release();
    current.store(started);
    // What the kernel refuses stays writable, and what is not mapped at the end of a large block.
    for (const Stretch& stretch : started->stretches)
      Protect(stretch.address, stretch.size, kReadOnly);
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

void WriteWatch::End() noexcept {
  const std::unique_ptr<Watch> watch(current.load());
  if (watch == nullptr) return;
  Unprotect(*watch);
  current.store(nullptr);
  while (inside.load() != 0) ::sched_yield();
  Uninstall();
}

bool WriteWatch::IsOn() noexcept { return current.load() != nullptr; }

bool WriteWatch::ReadGuarded(void (*read)(void* context), void* context) noexcept {
  sigjmp_buf back;
  const bool whole = sigsetjmp(back, 0) == 0;
  if (whole) {
    t_state.reading = &back;
    read(context);
  }
  t_state.reading = nullptr;
  return whole;
}

}  // namespace frozen_arena
