#include "arena/faults.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace frozen_arena {
namespace {

struct Plan {
  bool no_memfd = false;
  bool no_collapse = false;
  bool no_private = false;
  bool no_proc = false;
  bool no_preferred = false;
  std::uint64_t fail_nth = 0;
  std::uint64_t fail_every = 0;
};

bool Takes(const char* word, std::size_t length, const char* name) {
  return std::strlen(name) == length && std::memcmp(word, name, length) == 0;
}

void Read(const char* word, std::size_t length, Plan* plan) {
  if (Takes(word, length, "no_memfd")) plan->no_memfd = true;
  if (Takes(word, length, "no_collapse")) plan->no_collapse = true;
  if (Takes(word, length, "no_private")) plan->no_private = true;
  if (Takes(word, length, "no_proc")) plan->no_proc = true;
  if (Takes(word, length, "no_preferred")) plan->no_preferred = true;
  if (std::strncmp(word, "fail_nth=", 9) == 0)
    plan->fail_nth = std::strtoull(word + 9, nullptr, 10);
  if (std::strncmp(word, "fail_every=", 11) == 0)
    plan->fail_every = std::strtoull(word + 11, nullptr, 10);
}

Plan ReadPlan(const char* text) {
  Plan plan;
  while (text != nullptr && *text != '\0') {
    const std::size_t length = std::strcspn(text, ",");
    Read(text, length, &plan);
    text += length;
    if (*text == ',') ++text;
  }
  return plan;
}

constinit std::atomic<std::uint64_t> injected{0};
constinit std::atomic<std::uint64_t> requests{0};

Plan& ThePlan() noexcept {
  static Plan plan = ReadPlan(std::getenv("FROZEN_ARENA_TEST_FAULTS"));
  return plan;
}

bool IsPlanned(Fault fault) noexcept {
  const Plan& plan = ThePlan();
  switch (fault) {
    case Fault::kMemfd:
      return plan.no_memfd;
    case Fault::kCollapse:
      return plan.no_collapse;
    case Fault::kPrivate:
      return plan.no_private;
    case Fault::kProc:
      return plan.no_proc;
    case Fault::kPreferredAddress:
      return plan.no_preferred;
    case Fault::kMemory:
      break;
  }
  if (plan.fail_nth == 0 && plan.fail_every == 0) return false;
  const std::uint64_t number = requests.fetch_add(1, std::memory_order_relaxed) + 1;
  return number == plan.fail_nth || (plan.fail_every != 0 && number % plan.fail_every == 0);
}

}  // namespace

bool Injected(Fault fault) noexcept {
  if (!IsPlanned(fault)) return false;
  injected.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void PlanFaults(const char* text) noexcept {
  ThePlan() = ReadPlan(text);
  requests.store(0, std::memory_order_relaxed);
  injected.store(0, std::memory_order_relaxed);
}

std::uint64_t InjectedSoFar() noexcept { return injected.load(std::memory_order_relaxed); }

}  // namespace frozen_arena
