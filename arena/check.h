// Checks in two strengths: FZA_DCHECK in debug builds, and kAuditBuild (FZA_AUDIT) for what walks
// whole arenas. There is no check that ends the process in a release build: an arena that finds
// itself broken degrades and reports.
#ifndef FROZEN_ARENA_ARENA_CHECK_H_
#define FROZEN_ARENA_ARENA_CHECK_H_

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include <unistd.h>

#ifndef FZA_AUDIT
#define FZA_AUDIT 0
#endif

namespace frozen_arena {

inline constexpr bool kAuditBuild = FZA_AUDIT != 0;

// Says what is wrong with write(2) (nothing here may allocate) and ends the process.
[[noreturn]] inline void DieOfCheck(const char* what) noexcept {
  for (const char* const part : {"frozen_arena: check failed: ", what, "\n"}) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, part, std::strlen(part));
  }
  std::abort();
}

}  // namespace frozen_arena

#ifdef NDEBUG
#define FZA_DCHECK(condition) static_cast<void>(0)
#else
#define FZA_DCHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::frozen_arena::DieOfCheck(#condition))
#endif

#endif  // FROZEN_ARENA_ARENA_CHECK_H_
