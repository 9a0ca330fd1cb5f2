#include "arena/arena.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "arena/address_map.h"
#include "arena/check.h"
#include "arena/fork_guard.h"
#include "arena/lane.h"
#include "arena/mapping_lock.h"
#include "arena/track.h"
#include "arena/walk_lock.h"

namespace frozen_arena {
namespace {

std::uintptr_t AddressOf(const void* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

bool MayMove(ArenaState from, ArenaState to) noexcept {
  switch (from) {
    case ArenaState::kBuilding:
      return to == ArenaState::kSealing || to == ArenaState::kAbandoned;
    case ArenaState::kSealing:
      return to == ArenaState::kSealed || to == ArenaState::kAbandoned;
    case ArenaState::kSealed:
    case ArenaState::kAbandoned:
      return to == ArenaState::kReleased;
    case ArenaState::kReleased:
      return false;
  }
  return false;
}

// In steps of 16 bytes: mimalloc's small size classes are multiples of that, so a block reaches
// that far whatever was asked for.
void ZeroHead(void* block, std::size_t size) noexcept {
  auto* const head = static_cast<char*>(block);
  std::memset(head, 0, 16);
  if (size > 16) std::memset(head + 16, 0, 16);
  if (size > 32) std::memset(head + 32, 0, 16);
  static_assert(Arena::kZeroedHead == 48);
}

constexpr char kNoMemoryForAudit[] = "no memory for the audit";

}  // namespace

const char* NameOf(ArenaState state) noexcept {
  switch (state) {
    case ArenaState::kBuilding:
      return "building";
    case ArenaState::kSealing:
      return "sealing";
    case ArenaState::kSealed:
      return "sealed";
    case ArenaState::kAbandoned:
      return "abandoned";
    case ArenaState::kReleased:
      return "released";
  }
  return "unknown";
}

Arena* FindArena(const void* address) noexcept {
  const Region* const region = AddressMap::Find(AddressOf(address));
  return region == nullptr ? nullptr : region->arena;
}

bool FreeIfOurs(void* block) noexcept {
  Region* const region = AddressMap::Find(AddressOf(block));
  if (region == nullptr) return false;
  region->arena->FreeIn(region, block);
  return true;
}

Arena::Arena(const ArenaOptions& options, std::unique_ptr<Lane>* lanes) noexcept {
  budget_.limit = options.limit.value;
  budget_.notify_at = options.on_doubled != nullptr ? ArenaOptions::kFirstNotice.value : 0;
  budget_.on_doubled = options.on_doubled;
  for (std::size_t i = 0; i < kLaneCount; ++i) lanes_[i] = std::move(lanes[i]);
}

Arena::~Arena() { ForkGuard::Unwatch(this); }

Arena* Arena::Create(const ArenaOptions& options) noexcept {
  // A lane names its arena and the arena owns its lanes, so the place comes first and the lanes
  // after it.
  void* const place = ::operator new(sizeof(Arena), std::nothrow);
  if (place == nullptr) return nullptr;
  try {
    auto* const arena = static_cast<Arena*>(place);
    std::unique_ptr<Lane> lanes[kLaneCount];
    for (std::size_t i = 0; i < kLaneCount; ++i) {
      lanes[i] = std::make_unique<Lane>(arena, i, &arena->budget_,
                                        options.huge_pages != HugePages::kNever);
    }
    new (place) Arena(options, lanes);
    if (ForkGuard::Watch(arena) == Status::kOk) return arena;
    arena->~Arena();
  } catch (const std::bad_alloc&) {
    // As below: no arena.
  }
  ::operator delete(place);
  return nullptr;
}

void Arena::DropHandle() noexcept {
  if (state_ == ArenaState::kBuilding) Abandon();
  has_handle_ = false;
  if (live_blocks_ == 0) LastBlockFreed();
}

void Arena::ReleaseMemory() noexcept {
  if (state_ == ArenaState::kReleased) return;
  DieUnlessWhole();
  directory_.Withdraw();
  const WalkLock lock(WalkMutex());
  for (const auto& lane : lanes_) lane->Release();
  MoveTo(ArenaState::kReleased);
}

void Arena::LastBlockFreed() noexcept {
  if (state_ == ArenaState::kBuilding || state_ == ArenaState::kSealing) return;
  ReleaseMemory();
  if (has_handle_) return;
  this->~Arena();
  ::operator delete(this);
}

void Arena::MoveTo(ArenaState next) noexcept {
  FZA_DCHECK(MayMove(state_, next));
  if (MayMove(state_, next)) state_ = next;
}

void* Arena::Allocate(LaneKind kind, std::size_t size) noexcept {
  if (state_ != ArenaState::kBuilding) [[unlikely]]
    return nullptr;
  void* const block = lane(kind).Allocate(size);
  if (block == nullptr) [[unlikely]] {
    ++overflow_blocks_;
    overflow_bytes_ += size;
    return nullptr;
  }
  ++live_blocks_;
  if (kind == LaneKind::kObjects) ZeroHead(block, size);
  return block;
}

void Arena::Free(void* block) noexcept { FreeIn(AddressMap::Find(AddressOf(block)), block); }

void Arena::FreeIn(Region* region, void* block) noexcept {
  --live_blocks_;
  if (state_ != ArenaState::kSealed) {
    switch (region->kind) {
      case RegionKind::kSegment:
        region->lane->FreeSmall(block);
        break;
      case RegionKind::kSpanPool:
        region->lane->FreeInSpan(static_cast<SpanPool*>(region), block);
        break;
      case RegionKind::kRunPool:
        static_cast<RunPool*>(region)->Free(block);
        break;
      case RegionKind::kLargeBlock:
        region->lane->FreeLarge(static_cast<LargeBlock*>(region));
        break;
      case RegionKind::kFilePart:  // sealed from the start
        break;
    }
  }
  if (live_blocks_ == 0) [[unlikely]]
    LastBlockFreed();
}

std::size_t Arena::UsableSize(const void* block) const noexcept {
  const Region* const region = AddressMap::Find(AddressOf(block));
  switch (region->kind) {
    case RegionKind::kSegment:
      return mi_usable_size(block);
    case RegionKind::kSpanPool:
      return static_cast<const SpanPool*>(region)->SpanOf(AddressOf(block))->block_size;
    case RegionKind::kRunPool:
      return static_cast<const RunPool*>(region)->SizeOf(block);
    case RegionKind::kLargeBlock:
      return static_cast<const LargeBlock*>(region)->size();
    case RegionKind::kFilePart:
      return static_cast<const FilePart*>(region)->SizeOf(AddressOf(block));
  }
  return 0;
}

bool Arena::ResizeInPlace(void* block, std::size_t size) noexcept {
  Region* const region = AddressMap::Find(AddressOf(block));
  if (region->kind == RegionKind::kLargeBlock) {
    auto* const large = static_cast<LargeBlock*>(region);
    if (size <= large->size()) return state_ == ArenaState::kSealed || size > large->size() / 2;
    return state_ == ArenaState::kBuilding && large->Resize(size);
  }
  const std::size_t usable = UsableSize(block);
  if (region->kind == RegionKind::kRunPool && state_ == ArenaState::kBuilding && size > usable / 2)
    return static_cast<RunPool*>(region)->Resize(block, size);
  if (size > usable) return false;
  // A block that is building moves when less than half of it is still wanted.
  if (state_ != ArenaState::kSealed) return size > usable / 2;
  // A sealed one never gives memory back. Whoever asks for another size is about to write: a small
  // one moves, and its OS page stays shared.
  return usable > os::PageSize();
}

LaneKind Arena::LaneOf(const void* address) const noexcept {
  return static_cast<LaneKind>(AddressMap::Find(AddressOf(address))->lane->index());
}

bool Arena::VisitBlocks(LaneKind kind, BlockVisitor visitor, void* context) noexcept {
  const WalkLock lock(WalkMutex());
  return lane(kind).VisitBlocks(visitor, context);
}

Arena::AddressSpan Arena::SpanOf(LaneKind kind) const {
  const std::vector<Extent> extents = lane(kind).Extents();
  if (extents.empty()) return {0, 0};
  return {extents.front().address, extents.back().address + extents.back().size};
}

Status Arena::Seal() noexcept {
  if (state_ != ArenaState::kBuilding) return Status::kWrongState;
  MoveTo(ArenaState::kSealing);
  const WalkLock walk_lock(WalkMutex());
  if (live_blocks_ == 0) {
    for (const auto& lane : lanes_) lane->Release();
  }
  Status status = Status::kOk;  // whatever it is: stats() says how much is behind no sealed file
  for (const auto& lane : lanes_) {
    if (!lane->Seal(&directory_)) status = Status::kNoMemory;
  }
  directory_.Publish();
  {
    const MappingLock lock(MappingMutex());
    Track::EndSharing();
  }
  try {
    for (const auto& lane : lanes_) checksums_.Take(lane->Extents());
  } catch (const std::bad_alloc&) {
    status = Status::kNoMemory;
  }
  MoveTo(ArenaState::kSealed);
  const ArenaStats now = stats();
  // What could not be sealed is still a shared mapping, and stays with the fork guard.
  if (now.lanes[0].unsealed_bytes + now.lanes[1].unsealed_bytes == 0) ForkGuard::Unwatch(this);
  DieUnlessWhole();
  return status;
}

os::MapResult Arena::MapFile(int descriptor, std::array<FileLane, kLaneCount>&& lanes,
                             std::size_t blocks) noexcept {
  FZA_DCHECK(state_ == ArenaState::kBuilding && live_blocks_ == 0);
  os::MapResult result = os::MapResult::kMapped;
  MoveTo(ArenaState::kSealing);
  try {
    for (std::size_t i = 0; i < kLaneCount && result == os::MapResult::kMapped; ++i)
      result = lanes_[i]->MapFile(descriptor, std::move(lanes[i]), &directory_);
    if (result == os::MapResult::kMapped) {
      for (const auto& lane : lanes_) checksums_.Take(lane->Extents());
    }
  } catch (const std::bad_alloc&) {
    result = os::MapResult::kRefused;
  }
  live_blocks_ = blocks;
  MoveTo(ArenaState::kSealed);
  ForkGuard::Unwatch(this);
  if (result != os::MapResult::kMapped) {
    ReleaseFile();
  } else {
    directory_.Publish();
  }
  return result;
}

void Arena::ReleaseFile() noexcept {
  live_blocks_ = 0;
  ReleaseMemory();
}

Status Arena::Abandon() noexcept {
  if (state_ != ArenaState::kBuilding) return Status::kWrongState;
  MoveTo(ArenaState::kAbandoned);
  for (const auto& lane : lanes_) lane->Abandon();
  const WalkLock lock(WalkMutex());
  if (live_blocks_ == 0) {
    for (const auto& lane : lanes_) lane->Release();
  }
  return Status::kOk;
}

void Arena::PrepareFork() noexcept { EndSharing(); }

void Arena::EndSharing() noexcept {
  for (const auto& lane : lanes_) lane->EndSharing();
}

void Arena::AfterForkInParent() noexcept { EndSharing(); }

void Arena::AfterForkInChild() noexcept {
  EndSharing();
  // Sealing: by a thread that this child does not have.
  if (state_ != ArenaState::kBuilding && state_ != ArenaState::kSealing) return;
  MoveTo(ArenaState::kAbandoned);
  for (const auto& lane : lanes_) lane->EndLeases();
}

Status Arena::CountPages(std::array<PageCounts, kLaneCount>* by_lane) const noexcept {
  if (state_ != ArenaState::kSealed) return Status::kWrongState;
  try {
    for (std::size_t i = 0; i < kLaneCount; ++i) {
      const Status status = ::frozen_arena::CountPages(lanes_[i]->Extents(), &(*by_lane)[i]);
      if (status != Status::kOk) return status;
    }
    return Status::kOk;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

Status Arena::Reshare(LaneKind kind, const ReshareSlice& slice, Reshared* result) noexcept {
  if (state_ != ArenaState::kSealed) return Status::kWrongState;
  return ::frozen_arena::Reshare(lane(kind), slice, result);
}

const void* Arena::Pristine(const void* address) const noexcept {
  const Region* const region = AddressMap::Find(AddressOf(address));
  if (region == nullptr || region->arena != this) return nullptr;
  return region->lane->Pristine(region, address);
}

const char* Arena::Audit() const noexcept {
  try {
    for (const auto& lane : lanes_) {
      if (state_ == ArenaState::kSealed && !LedgerAddsUp(lane->stats())) {
        return "the ledger of a lane does not add up: mapped != live + free + punched";
      }
      for (const Extent& extent : lane->Extents()) {
        for (std::uintptr_t at = extent.address; at < extent.address + extent.size;
             at += kSliceSize) {
          const Region* const region = AddressMap::Find(at);
          if (region == nullptr || region->arena != this || region->lane != lane.get()) {
            return "the address map does not name the owner of a slice";
          }
        }
      }
    }
    const auto pristine = [this](std::uintptr_t address) {
      return AddressOf(
          Pristine(reinterpret_cast<const void*>(address)));  // NOLINT(performance-no-int-to-ptr)
    };
    if (checksums_.FirstDifference(pristine) != 0)
      return "the content of a sealed OS page has changed";
    return nullptr;
  } catch (const std::bad_alloc&) {
    return kNoMemoryForAudit;
  }
}

void Arena::DieUnlessWhole() const noexcept {
  if constexpr (!kAuditBuild) return;
  const char* const wrong = Audit();
  if (wrong != nullptr && wrong != kNoMemoryForAudit) DieOfCheck(wrong);
}

ArenaStats Arena::stats() const noexcept {
  ArenaStats stats;
  for (std::size_t i = 0; i < kLaneCount; ++i) stats.lanes[i] = lanes_[i]->stats();
  stats.mapped_bytes = budget_.mapped;
  stats.overflow_blocks = overflow_blocks_;
  stats.overflow_bytes = overflow_bytes_;
  stats.live_blocks = live_blocks_;
  return stats;
}

}  // namespace frozen_arena
