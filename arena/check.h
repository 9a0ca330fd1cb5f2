// Checks in two strengths: FZA_DCHECK in debug builds, kAuditBuild in audit builds. There is no
// check that ends the process in a release build: an arena that finds itself broken degrades and
// reports.
#ifndef FROZEN_ARENA_ARENA_CHECK_H_
#define FROZEN_ARENA_ARENA_CHECK_H_

#include <cstdlib>

#include <unistd.h>

#ifndef FZA_AUDIT
#define FZA_AUDIT 0
#endif

namespace frozen_arena {

inline constexpr bool kAuditBuild = FZA_AUDIT != 0;

// Writes `message` with write(2) (nothing here may allocate) and ends the process.
[[noreturn]] inline void DieOfCheck(const char* message, std::size_t length) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message, length);
  std::abort();
}

}  // namespace frozen_arena

#ifdef NDEBUG
#define FZA_DCHECK(condition) static_cast<void>(0)
#else
#define FZA_DCHECK(condition)                                                            \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      static constexpr char kMessage[] = "frozen_arena: check failed: " #condition "\n"; \
      ::frozen_arena::DieOfCheck(kMessage, sizeof(kMessage) - 1);                        \
    }                                                                                    \
  } while (false)
#endif

#endif  // FROZEN_ARENA_ARENA_CHECK_H_
