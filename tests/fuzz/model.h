// A model of arenas: what blocks there must be and what they hold, kept beside the real ones.
//
// Each operation is made on both, and what the arena says is compared with what the model knows. A
// difference ends the process with a sentence (DieOfCheck), which is what a fuzzer looks for.
#ifndef FROZEN_ARENA_TESTS_FUZZ_MODEL_H_
#define FROZEN_ARENA_TESTS_FUZZ_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "arena/arena.h"

namespace frozen_arena::fuzz {

struct Block {
  int arena = 0;  // index in Model
  LaneKind lane = LaneKind::kObjects;
  std::size_t size = 0;
  std::uint8_t fill = 0;         // what every byte that is looked at holds now,
  std::uint8_t sealed_fill = 0;  // and held at the seal
};

class Model {
 public:
  static constexpr int kMostArenas = 4;
  static constexpr std::size_t kMostBytes = std::size_t{96} << 20;

  Model() = default;
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void Create(const ArenaOptions& options) noexcept;
  void Allocate(int arena, LaneKind lane, std::size_t size, std::uint8_t fill);
  void Free(std::size_t which);
  void Resize(std::size_t which, std::size_t size);
  void Write(std::size_t which, std::uint8_t fill);
  void Seal(int arena);
  void Abandon(int arena);
  void DropHandle(int arena);
  void Reshare(int arena);
  // A child checks everything, changes and frees some of it, and ends; nothing of that is seen
  // here.
  void Fork(std::uint8_t fill);
  // Every byte, every equation, and of arenas that are building every block.
  void Check();

  std::size_t blocks() const noexcept { return blocks_.size(); }

 private:
  struct Slot {
    Arena* arena = nullptr;
    bool has_handle = false;
    std::size_t live = 0;
    bool was_sealed = false;
  };
  using Place = std::map<std::uintptr_t, Block>::iterator;
  Place At(std::size_t which);
  Slot& SlotOf(int arena) { return slots_[static_cast<std::size_t>(arena % kMostArenas)]; }
  void Remember(int arena, LaneKind lane, void* block, std::size_t size, std::uint8_t fill);
  void Forget(Place place);
  void CheckBlock(std::uintptr_t at, const Block& block) const;
  void CheckVisit(int arena, LaneKind lane);
  [[noreturn]] void LiveAsChild(std::uint8_t fill);

  std::array<Slot, kMostArenas> slots_{};
  std::map<std::uintptr_t, Block> blocks_;
  std::size_t bytes_ = 0;
};

}  // namespace frozen_arena::fuzz

#endif  // FROZEN_ARENA_TESTS_FUZZ_MODEL_H_
