// fork() while an arena is building: parent and child go on without seeing each other.
#include "arena/fork_guard.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena/arena.h"
#include "arena/units.h"
#include "tests/arena/child.h"

namespace frozen_arena {
namespace {

using testing::InChild;

char* Make(Arena* arena, std::size_t size, char fill) {
  char* const block = static_cast<char*>(arena->Allocate(LaneKind::kObjects, size));
  std::memset(block, fill, size);
  return block;
}

TEST(ForkGuardTest, AChildsWriteToABuildingArenaIsNotSeenByTheParent) {
  Arena* const arena = Arena::Create({});
  char* const block = Make(arena, 100, 'p');
  EXPECT_EQ(InChild([&] {
              block[0] = 'c';
              return arena->state() == ArenaState::kAbandoned ? 0 : 1;
            }),
            0);
  EXPECT_EQ(block[0], 'p');
  EXPECT_EQ(arena->state(), ArenaState::kBuilding);
  arena->Free(block);
  arena->DropHandle();
}

// The child looks at its data only after the parent has written, allocated and sealed.
TEST(ForkGuardTest, TheParentsSealDoesNotChangeWhatTheChildSees) {
  Arena* const arena = Arena::Create({});
  char* const block = Make(arena, 100, 'o');
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) ::_exit(2);
    ::_exit(block[0] == 'o' && block[99] == 'o' ? 0 : 1);
  }
  block[0] = 'n';
  char* const later = Make(arena, 5000, 'l');
  EXPECT_EQ(arena->Seal(), Status::kOk);
  ASSERT_EQ(::write(go[1], "g", 1), 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(block[0], 'n');
  EXPECT_EQ(later[4999], 'l');
  EXPECT_EQ(arena->stats().lanes[0].unsealed_bytes, 0U);
  ASSERT_NE(arena->Pristine(block), nullptr);
  EXPECT_EQ(*static_cast<const char*>(arena->Pristine(block)), 'n');
  arena->Free(block);
  arena->Free(later);
  arena->DropHandle();
}

TEST(ForkGuardTest, AChildCanFreeWhatItInheritedAndBuildAnArenaOfItsOwn) {
  Arena* const arena = Arena::Create({});
  char* const block = Make(arena, 100, 'i');
  EXPECT_EQ(InChild([&] {
              arena->Free(block);
              if (arena->state() != ArenaState::kReleased) return 1;
              Arena* const own = Arena::Create({});
              char* const mine = Make(own, 100, 'm');
              if (own->Seal() != Status::kOk || mine[99] != 'm') return 2;
              return 0;
            }),
            0);
  arena->Free(block);
  arena->DropHandle();
}

std::size_t WrittenToFiles() {
  std::ifstream lines("/proc/self/io");
  std::string name;
  for (std::size_t bytes = 0; lines >> name >> bytes;) {
    if (name == "wchar:") return bytes;
  }
  return 0;
}

// The file is the child's as well, so the data moves to another one; what is dead stays behind, and
// no huge page comes along.
TEST(ForkGuardTest, ASealAfterAForkMovesTheLivingOnly) {
  EXPECT_EQ(InChild([] {
              Arena* const arena = Arena::Create({});
              std::vector<char*> dead;
              std::vector<char*> living;
              for (int i = 0; i < 6000; ++i) {
                for (const std::size_t size : {std::size_t{500}, std::size_t{3000}, 9 * kKiB}) {
                  (i < 2000 || i % 500 == 0 ? living : dead).push_back(Make(arena, size, 'd'));
                }
              }
              if (InChild([] { return 0; }) != 0) return 1;
              for (char* const block : dead) arena->Free(block);
              const std::size_t before = WrittenToFiles();
              if (arena->Seal() != Status::kOk || arena->Audit() != nullptr) return 2;
              const std::size_t written = WrittenToFiles() - before;
              const LaneStats lane = arena->stats().lanes[0];
              if (lane.unsealed_bytes != 0 || lane.huge_bytes != 0) return 3;
              if (lane.live_bytes < 20 * kMiB || lane.punched_bytes < 8 * kMiB) return 4;
              if (written < lane.live_bytes || written > lane.live_bytes + 2 * kMiB) return 5;
              for (const char* const block : living) {
                if (block[0] != 'd' || block[499] != 'd') return 6;
              }
              return 0;
            }),
            0);
}

TEST(ForkGuardTest, GrandchildrenReadASealedArena) {
  Arena* const arena = Arena::Create({});
  char* const block = Make(arena, 100, 'g');
  ASSERT_EQ(arena->Seal(), Status::kOk);
  EXPECT_EQ(InChild([&] { return InChild([&] { return block[99] == 'g' ? 0 : 1; }); }), 0);
  arena->Free(block);
  arena->DropHandle();
}

// As uWSGI forks: from a thread of its own, with the builder at any point of its execution.
TEST(ForkGuardTest, ForksOfAnotherThreadLeaveWhatIsBeingBuiltWhole) {
  std::atomic<int> forks{0};
  std::thread forking([&forks] {
    for (; forks < 200; ++forks) EXPECT_EQ(InChild([] { return 0; }), 0);
  });
  while (forks < 200) {
    Arena* const arena = Arena::Create({});
    struct Block {
      char* begin;
      std::size_t size;
      char fill;
    };
    std::vector<Block> blocks;
    for (char fill = 1; fill <= 40; ++fill) {
      // Small, in a span, on a run, and now and then large; every third is freed again.
      const std::size_t last = fill % 40 == 1 ? 33 * kMiB : 100;
      for (const std::size_t size : {std::size_t{100}, std::size_t{3000}, kMiB, last}) {
        char* const block = Make(arena, size, fill);
        if (fill % 3 != 0) {
          blocks.push_back({block, size, fill});
        } else {
          arena->Free(block);
        }
      }
    }
    EXPECT_EQ(arena->Seal(), Status::kOk);
    for (const Block& block : blocks) {
      EXPECT_EQ(std::count(block.begin, block.begin + block.size, block.fill),
                static_cast<std::ptrdiff_t>(block.size));
      arena->Free(block.begin);
    }
    arena->DropHandle();
  }
  forking.join();
}

}  // namespace
}  // namespace frozen_arena
