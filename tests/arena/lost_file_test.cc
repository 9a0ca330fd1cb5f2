// A program that closes every descriptor it does not know, as daemons do, loses no byte: not ours,
// and not of the file that gets the number of ours.
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena/arena.h"
#include "arena/os_memory.h"
#include "arena/units.h"
#include "tests/arena/child.h"

namespace frozen_arena {
namespace {

using testing::InChild;

constexpr std::size_t kSmall = 100;
constexpr std::size_t kLarge = 5 * kMiB;

char Value(std::size_t number) { return static_cast<char>(number % 127); }

// Blocks in either lane, small and large ones, each filled with its number.
struct Data {
  Data() : arena(Arena::Create({})) {}
  ~Data() {
    for (char* const block : blocks) arena->Free(block);
    arena->DropHandle();
  }
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;

  void Add(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = i % 5000 == 0 ? kLarge : kSmall;
      const auto lane = static_cast<LaneKind>(i % kLaneCount);
      auto* const block = static_cast<char*>(arena->Allocate(lane, size));
      if (block == nullptr) continue;
      std::memset(block, Value(blocks.size()), size);
      blocks.push_back(block);
    }
  }
  // Whole stretches, so that OS pages die.
  void FreeLast(std::size_t count) {
    for (; count > 0; --count) {
      arena->Free(blocks.back());
      blocks.pop_back();
    }
  }
  bool IsWhole() const {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i][0] != Value(i) || blocks[i][kSmall - 1] != Value(i)) return false;
    }
    return true;
  }

  Arena* arena;
  std::vector<char*> blocks;
};

// Closes all descriptors but the first three, and opens files of somebody else under their numbers.
class StrangersFiles {
 public:
  StrangersFiles() {
    for (int descriptor = 3; descriptor < 64; ++descriptor) ::close(descriptor);
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const std::string path = "/tmp/frozen_arena_lost_file_" + std::to_string(::getpid());
      files_[i] = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
      ::unlink(path.c_str());
      const std::string content(kSize, 'm');
      if (::write(files_[i], content.data(), kSize) != static_cast<ssize_t>(kSize)) files_[i] = -1;
    }
  }
  ~StrangersFiles() {
    for (const int file : files_) ::close(file);
  }
  StrangersFiles(const StrangersFiles&) = delete;
  StrangersFiles& operator=(const StrangersFiles&) = delete;

  bool AreAsTheyWere() const {
    for (const int file : files_) {
      std::string content(kSize, ' ');
      struct stat facts {};
      if (::fstat(file, &facts) != 0 || facts.st_size != static_cast<off_t>(kSize)) return false;
      if (::pread(file, content.data(), kSize, 0) != static_cast<ssize_t>(kSize)) return false;
      if (content.find_first_not_of('m') != std::string::npos) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kSize = 64 * kKiB;
  std::array<int, 20> files_{};
};

// In a child, so that the descriptors of the test itself stay.
template <typename Body>
int WithStrangersFiles(Body body) {
  return InChild([&] {
    auto data = std::make_unique<Data>();
    data->Add(20000);
    const StrangersFiles files;
    const int failed = body(*data);
    if (failed != 0) return failed;
    if (!data->IsWhole()) return 101;
    data.reset();
    return files.AreAsTheyWere() ? 0 : 102;
  });
}

TEST(LostFileTest, TheArenaGrowsOnAndIsSealed) {
  EXPECT_EQ(WithStrangersFiles([](Data& data) {
              data.Add(40000);
              data.FreeLast(15000);
              if (data.arena->Seal() != Status::kOk) return 1;
              if (data.arena->state() != ArenaState::kSealed) return 2;
              const ArenaStats stats = data.arena->stats();
              if (stats.lanes[0].unsealed_bytes + stats.lanes[1].unsealed_bytes != 0) return 3;
              return data.arena->Audit() == nullptr ? 0 : 4;
            }),
            0);
}

TEST(LostFileTest, AChildHasItsOwnCopy) {
  EXPECT_EQ(WithStrangersFiles([](Data& data) {
              data.Add(10000);
              const int in_child = InChild([&] {
                if (!data.IsWhole()) return 1;
                for (char* const block : data.blocks) block[0] = 'x';
                return 0;
              });
              if (in_child != 0) return 10 + in_child;
              if (!data.IsWhole()) return 2;
              data.Add(10000);
              return data.arena->Seal() == Status::kOk && data.IsWhole() ? 0 : 3;
            }),
            0);
}

TEST(LostFileTest, AnAbandonedArenaGivesItsMemoryBack) {
  EXPECT_EQ(WithStrangersFiles([](Data& data) {
              if (data.arena->Abandon() != Status::kOk) return 1;
              data.FreeLast(data.blocks.size());
              return data.arena->stats().mapped_bytes == 0 ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace frozen_arena
