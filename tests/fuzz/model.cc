#include "tests/fuzz/model.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

#include "arena/check.h"
#include "arena/units.h"

namespace frozen_arena::fuzz {
namespace {

// Of large blocks only the ends are written and looked at: the fuzzer is to make many operations.
constexpr std::size_t kEnds = 256;

void Expect(bool holds, const char* sentence) {
  if (!holds) DieOfCheck(sentence);
}

std::uint8_t* Bytes(std::uintptr_t at) {
  return reinterpret_cast<std::uint8_t*>(at);  // NOLINT(performance-no-int-to-ptr)
}

void Fill(std::uintptr_t at, std::size_t size, std::uint8_t fill) {
  const std::size_t head = std::min(size, kEnds);
  std::memset(Bytes(at), fill, head);
  std::memset(Bytes(at) + size - head, fill, head);
}

bool Holds(const void* block, std::size_t size, std::uint8_t fill) {
  std::array<std::uint8_t, kEnds> expected;
  expected.fill(fill);
  const auto* const bytes = static_cast<const std::uint8_t*>(block);
  const std::size_t head = std::min(size, kEnds);
  return std::memcmp(bytes, expected.data(), head) == 0 &&
         std::memcmp(bytes + size - head, expected.data(), head) == 0;
}

}  // namespace

Model::~Model() {
  Check();
  while (!blocks_.empty()) Free(0);
  for (int arena = 0; arena < kMostArenas; ++arena) DropHandle(arena);
}

void Model::Create(const ArenaOptions& options) noexcept {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [](const Slot& one) { return one.arena == nullptr; });
  if (slot == slots_.end()) return;
  slot->arena = Arena::Create(options);
  slot->has_handle = slot->arena != nullptr;
  slot->live = 0;
  slot->was_sealed = false;
  Expect(slot->arena == nullptr || slot->arena->state() == ArenaState::kBuilding,
         "a new arena is building");
}

void Model::Remember(int arena, LaneKind lane, void* block, std::size_t size, std::uint8_t fill) {
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  const auto after = blocks_.lower_bound(at);
  Expect(after == blocks_.end() || at + size <= after->first, "a block overlaps the next one");
  Expect(after == blocks_.begin() || std::prev(after)->first + std::prev(after)->second.size <= at,
         "a block overlaps the one before");
  Fill(at, size, fill);
  blocks_[at] = {arena, lane, size, fill, 0};
  ++slots_[static_cast<std::size_t>(arena)].live;
  bytes_ += size;
}

void Model::Allocate(int arena, LaneKind lane, std::size_t size, std::uint8_t fill) {
  arena %= kMostArenas;
  Slot& slot = SlotOf(arena);
  if (slot.arena == nullptr || bytes_ + size > kMostBytes) return;
  const bool building = slot.arena->state() == ArenaState::kBuilding;
  void* const block = slot.arena->Allocate(lane, size);
  if (block == nullptr) return;
  Expect(building, "only an arena that is building hands out blocks");
  const auto at = reinterpret_cast<std::uintptr_t>(block);
  Expect(at % 16 == 0, "a block is aligned to 16 bytes");
  Expect(lane != LaneKind::kObjects || Holds(block, std::min(size, Arena::kZeroedHead), 0),
         "a block of the objects lane begins with zeros");
  Remember(arena, lane, block, size, fill);
}

Model::Place Model::At(std::size_t which) {
  return std::next(blocks_.begin(), static_cast<std::ptrdiff_t>(which % blocks_.size()));
}

void Model::Forget(Place place) {
  Slot& slot = SlotOf(place->second.arena);
  bytes_ -= place->second.size;
  blocks_.erase(place);
  --slot.live;
  if (slot.live == 0 && !slot.has_handle) slot = {};  // it has deleted itself
}

void Model::Free(std::size_t which) {
  if (blocks_.empty()) return;
  const Place place = At(which);
  CheckBlock(place->first, place->second);
  void* const block = Bytes(place->first);
  if (which % 2 == 0) {
    Expect(FreeIfOurs(block), "a block of ours is known to be ours");
  } else {
    SlotOf(place->second.arena).arena->Free(block);
  }
  Forget(place);
}

void Model::Resize(std::size_t which, std::size_t size) {
  if (blocks_.empty()) return;
  const Place place = At(which);
  Block& block = place->second;
  Slot& slot = SlotOf(block.arena);
  if (bytes_ + size > kMostBytes) return;
  if (slot.arena->ResizeInPlace(Bytes(place->first), size)) {
    const auto next = std::next(place);
    Expect(next == blocks_.end() || place->first + size <= next->first,
           "a block that has grown overlaps the next one");
    Expect(Holds(Bytes(place->first), std::min({size, block.size, kEnds}), block.fill),
           "a block that was resized holds what it held");
    bytes_ += size - block.size;
    block.size = size;
    Fill(place->first, size, block.fill);
    if (slot.was_sealed) block.sealed_fill = 0;  // nothing is known of its new end
    return;
  }
  const Block old = block;
  Allocate(old.arena, old.lane, size, old.fill);
  Expect(Holds(Bytes(place->first), old.size, old.fill), "a block that moves is whole");
  Free(static_cast<std::size_t>(std::distance(blocks_.begin(), place)));
}

void Model::Write(std::size_t which, std::uint8_t fill) {
  if (blocks_.empty()) return;
  const Place place = At(which);
  Fill(place->first, place->second.size, fill);
  place->second.fill = fill;
}

void Model::Seal(int arena) {
  arena %= kMostArenas;
  Slot& slot = SlotOf(arena);
  if (slot.arena == nullptr) return;
  const bool building = slot.arena->state() == ArenaState::kBuilding;
  const Status status = slot.arena->Seal();
  Expect(building || status == Status::kWrongState, "only what is building can be sealed");
  if (slot.arena->state() != ArenaState::kSealed || !building) return;
  slot.was_sealed = true;
  for (auto& [at, block] : blocks_) {
    if (block.arena == arena) block.sealed_fill = block.fill;
  }
}

void Model::Abandon(int arena) {
  Slot& slot = SlotOf(arena);
  if (slot.arena == nullptr) return;
  const bool building = slot.arena->state() == ArenaState::kBuilding;
  const Status status = slot.arena->Abandon();
  Expect((status == Status::kOk) == building, "what is building can be abandoned");
}

void Model::DropHandle(int arena) {
  Slot& slot = SlotOf(arena);
  if (!slot.has_handle) return;
  if (slot.arena->state() == ArenaState::kBuilding) static_cast<void>(slot.arena->Abandon());
  slot.has_handle = false;
  slot.arena->DropHandle();
  if (slot.live == 0) slot = {};
}

void Model::Reshare(int arena) {
  const Slot& slot = SlotOf(arena);
  if (slot.arena == nullptr) return;
  for (const LaneKind lane : {LaneKind::kObjects, LaneKind::kPayload}) {
    Reshared result;
    const Status status = slot.arena->Reshare(lane, {}, &result);
    Expect(status != Status::kOk || result.dropped_os_pages <= result.compared_os_pages,
           "no more is dropped than was compared");
  }
}

void Model::LiveAsChild(std::uint8_t fill) {
  Check();
  for (const Slot& slot : slots_)
    Expect(slot.arena == nullptr || slot.arena->state() != ArenaState::kBuilding,
           "a child does not go on building what its parent builds");
  for (std::size_t which = 0; which < blocks_.size(); which += 3) Write(which, fill);
  Check();
  for (std::size_t which = 0; which < blocks_.size(); which += 2) Free(which);
  Create({});
  for (int arena = 0; arena < kMostArenas; ++arena) {
    Allocate(arena, LaneKind::kObjects, 100, fill);
    Seal(arena);
  }
  Check();
  ::_exit(0);
}

void Model::Fork(std::uint8_t fill) {
  const pid_t pid = ::fork();
  if (pid < 0) return;
  if (pid == 0) LiveAsChild(fill);
  int status = 0;
  Expect(::waitpid(pid, &status, 0) == pid, "the child is ours");
  Expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has found what there must be");
  Check();
}

void Model::CheckBlock(std::uintptr_t at, const Block& block) const {
  const Slot& slot = slots_[static_cast<std::size_t>(block.arena)];
  const void* const address = Bytes(at);
  Expect(Holds(address, block.size, block.fill), "a block holds what was written to it");
  Expect(FindArena(address) == slot.arena, "the address map knows the arena of a block");
  Expect(slot.arena->LaneOf(address) == block.lane, "a block stays in its lane");
  Expect(slot.arena->UsableSize(address) >= block.size, "a block has room for what was asked");
  const void* const pristine = slot.arena->Pristine(address);
  Expect(pristine == nullptr || slot.was_sealed, "what is not sealed has no pristine copy");
  Expect(pristine == nullptr || block.sealed_fill == 0 ||
             Holds(pristine, block.size, block.sealed_fill),
         "the pristine copy shows what was sealed");
}

void Model::CheckVisit(int arena, LaneKind lane) {
  std::set<std::uintptr_t> visited;
  const auto visit = [](void* context, void* block, std::size_t /*size*/) {
    static_cast<std::set<std::uintptr_t>*>(context)->insert(
        reinterpret_cast<std::uintptr_t>(block));
    return true;
  };
  Expect(SlotOf(arena).arena->VisitBlocks(lane, visit, &visited), "a visit goes to its end");
  std::size_t expected = 0;
  for (const auto& [at, block] : blocks_) {
    if (block.arena != arena || block.lane != lane) continue;
    ++expected;
    Expect(visited.count(at) == 1, "a visit comes to every block");
  }
  Expect(visited.size() == expected, "a visit comes to no block that is free");
}

void Model::Check() {
  for (const auto& [at, block] : blocks_) CheckBlock(at, block);
  for (int arena = 0; arena < kMostArenas; ++arena) {
    const Slot& slot = SlotOf(arena);
    if (slot.arena == nullptr) continue;
    const char* const broken = slot.arena->Audit();
    Expect(broken == nullptr, broken);
    Expect(slot.arena->stats().live_blocks == slot.live, "an arena counts its live blocks");
    if (slot.arena->state() == ArenaState::kBuilding) {
      CheckVisit(arena, LaneKind::kObjects);
      CheckVisit(arena, LaneKind::kPayload);
    }
    std::array<PageCounts, kLaneCount> counts{};
    if (slot.arena->CountPages(&counts) != Status::kOk) continue;
    for (const PageCounts& lane : counts)
      Expect(lane.private_os_pages <= lane.os_pages, "no more OS pages are copied than there are");
  }
}

}  // namespace frozen_arena::fuzz
