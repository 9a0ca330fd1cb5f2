// libFuzzer: the input is a sequence of operations, four bytes each, on up to four arenas.
//
//   allocate free resize write create seal abandon drop reshare fork check fail
//
// With `fail` the kernel refuses requests from then on, the n-th or every n-th (arena/faults.h).
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "arena/arena.h"
#include "arena/faults.h"
#include "arena/units.h"
#include "tests/fuzz/model.h"

namespace frozen_arena::fuzz {
namespace {

// An operation is slow where many pages are touched or a process is made; of those a run has few.
constexpr int kMostForks = 3;
constexpr int kMostLargeBlocks = 6;

struct Budgets {
  int forks = kMostForks;
  int large = kMostLargeBlocks;
};

// 0 to 64 KiB near the borders of size classes; from there to 40 MiB, seldom.
std::size_t SizeOf(std::uint8_t kind, std::uint8_t value, Budgets* budgets) {
  constexpr std::array<std::size_t, 8> kScales{1, 2, 16, 64, 256, 1024, 64 * 1024, 160 * 1024};
  std::size_t scale = kScales[kind % kScales.size()];
  if (scale > 1024 && --budgets->large < 0) scale = 16;
  return std::max<std::size_t>(value * scale + kind / kScales.size() % 3, 1);
}

void PlanFault(std::uint8_t kind, std::uint8_t value) {
  std::array<char, 64> text{};
  // Never two requests in a row: what is refused twice at a fork is kept from the child.
  if (kind % 4 == 0) {
    std::snprintf(text.data(), text.size(), "fail_every=%d", value % 16 + 3);
  } else {
    std::snprintf(text.data(), text.size(), "fail_nth=%d%s", value % 64 + 1,
                  kind % 4 == 1 ? ",no_collapse" : "");
  }
  PlanFaults(text.data());
}

void Run(const std::uint8_t* data, std::size_t size) {
  Budgets budgets;
  Model model;
  model.Create({});
  for (; size >= 4; data += 4, size -= 4) {
    const std::uint8_t which = data[1];
    const std::uint8_t kind = data[2];
    const std::uint8_t value = data[3];
    const auto lane = (kind & 0x80) != 0 ? LaneKind::kPayload : LaneKind::kObjects;
    switch (data[0] % 24) {
      default:  // half of all
        model.Allocate(which, lane, SizeOf(kind & 0x7F, value, &budgets), value);
        break;
      case 12:
      case 13:
      case 14:
        model.Free(which);
        break;
      case 15:
        model.Resize(which, SizeOf(kind & 0x7F, value, &budgets));
        break;
      case 16:
        model.Write(which, value);
        break;
      case 17: {
        ArenaOptions options;
        options.huge_pages = (kind & 1) != 0 ? HugePages::kNever : HugePages::kAuto;
        options.limit = Bytes{(kind & 2) != 0 ? value * 64 * kKiB : 0};
        model.Create(options);
        break;
      }
      case 18:
        model.Seal(which);
        break;
      case 19:
        if (kind < 128) model.Abandon(which);
        if (kind >= 128) model.DropHandle(which);
        break;
      case 20:
        model.Reshare(which);
        break;
      case 21:
        if (--budgets.forks >= 0) model.Fork(value);
        break;
      case 22:
        model.Check();
        break;
      case 23:
        PlanFault(kind, value);
        break;
    }
  }
  PlanFaults("");
}

}  // namespace
}  // namespace frozen_arena::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  frozen_arena::fuzz::Run(data, size);
  return 0;
}
