// Faults on demand: FROZEN_ARENA_TEST_FAULTS makes requests to the kernel fail, so that every way
// in which an arena degrades can be tested on a machine where nothing is wrong.
//
//   no_memfd     memfd_create is refused (as in some sandboxes)
//   no_collapse  MADV_COLLAPSE is refused (before Linux 6.1)
//   no_private   a file that is mapped shared cannot be mapped private
//   no_proc      /proc/self/pagemap cannot be opened
//   no_preferred the preferred addresses do not exist (39-bit address spaces)
//   fail_nth=K   the K-th request for memory, counted from 1, is refused
//   fail_every=K every K-th request for memory is refused
//
// Read once, at the first request; a test that has come further puts another plan in its place.
// Unset, it costs one load and one branch a request, and requests are rare.
#ifndef FROZEN_ARENA_ARENA_FAULTS_H_
#define FROZEN_ARENA_ARENA_FAULTS_H_

#include <cstdint>

namespace frozen_arena {

enum class Fault : std::uint8_t { kMemory, kMemfd, kCollapse, kPrivate, kProc, kPreferredAddress };

// True when a test wants this request to be refused. Thread-safe, does not allocate.
bool Injected(Fault fault) noexcept;

// For tests: from now on requests fail as `text` says, which has the form of the variable, and both
// counts begin at nought. No other thread may be inside an arena.
void PlanFaults(const char* text) noexcept;

// How many requests were refused so in this process, its parents included. What a test with
// fail_nth asks to know that it has come to the end.
std::uint64_t InjectedSoFar() noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_FAULTS_H_
