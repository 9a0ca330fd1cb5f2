// Runs a function in a forked child and hands back what it said, so that a test can look from both
// sides.
#ifndef FROZEN_ARENA_TESTS_ARENA_CHILD_H_
#define FROZEN_ARENA_TESTS_ARENA_CHILD_H_

#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

namespace frozen_arena::testing {

// The exit status of `body` run in a child, or minus the signal that ended it.
template <typename Body>
int InChild(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// The same with FROZEN_ARENA_TEST_FAULTS set. The variable is read once in a process, so the caller
// itself may not have used an arena yet.
template <typename Body>
int InChildWithFaults(const char* faults, Body body) {
  return InChild([&] {
    ::setenv("FROZEN_ARENA_TEST_FAULTS", faults, 1);
    return body();
  });
}

}  // namespace frozen_arena::testing

#endif  // FROZEN_ARENA_TESTS_ARENA_CHILD_H_
