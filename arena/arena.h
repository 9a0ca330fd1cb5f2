// Arena: the facade of this layer, the one header that allocator/ and python/ include.
//
// An arena is memory that is written once and then shared for good. It has two lanes: *objects*
// (what arrives through PYMEM_DOMAIN_OBJ: headers and reference counts) and *payload*
// (PYMEM_DOMAIN_MEM: tables, item vectors, buffers). While it is building, its lanes are shared
// mappings of memfds; at the seal they become private mappings of the same, now immutable, files.
// README.md has the vocabulary and the states.
//
// Unless a function says otherwise: the caller holds the GIL (or is the only thread), nothing here
// throws, and nothing here calls the interpreter.
#ifndef FROZEN_ARENA_ARENA_ARENA_H_
#define FROZEN_ARENA_ARENA_ARENA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "arena/audit.h"
#include "arena/directory.h"
#include "arena/file_part.h"
#include "arena/lane_policy.h"
#include "arena/page_accounting.h"
#include "arena/region.h"
#include "arena/reshare.h"
#include "arena/stats.h"
#include "arena/status.h"
#include "arena/units.h"

namespace frozen_arena {

enum class LaneKind : std::uint8_t { kObjects = 0, kPayload = 1 };
inline constexpr std::size_t kLaneCount = 2;

// Legal moves: building -> sealing -> sealed -> released, building -> abandoned -> released, and
// sealing -> abandoned in a child that was forked meanwhile.
enum class ArenaState : std::uint8_t { kBuilding, kSealing, kSealed, kAbandoned, kReleased };
const char* NameOf(ArenaState state) noexcept;

enum class HugePages : std::uint8_t { kAuto, kNever };

struct ArenaOptions {
  HugePages huge_pages = HugePages::kAuto;
  Bytes limit{};  // of both lanes together; zero is no limit
  // Called when the arena has grown to kFirstNotice, and each time it has doubled since; may not
  // allocate.
  void (*on_doubled)() = nullptr;
  static constexpr Bytes kFirstNotice{256 *
                                      kMiB};  // earlier ones cost a loader more than the garbage
};

class Arena {
 public:
  // A new arena in state kBuilding, or nullptr when there is no memory for its book-keeping. Takes
  // no address space yet: that comes with the first block.
  static Arena* Create(const ArenaOptions& options) noexcept;
  // The owner needs the arena no longer. It is deleted when its last block is gone, now or later.
  void DropHandle() noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  ArenaState state() const noexcept { return state_; }

  // A block of at least `size` bytes, 16-byte aligned, or nullptr when the arena is full, at its
  // limit, not building, or the kernel refuses memory: the caller then allocates elsewhere. The
  // first kZeroedHead bytes of a block in the objects lane are zero, so that no stale header is
  // taken for an object.
  void* Allocate(LaneKind lane, std::size_t size) noexcept;
  static constexpr std::size_t kZeroedHead = 48;

  // Gives a block back. In a sealed arena nothing is written to the block. When the last block of a
  // sealed or abandoned arena is freed, its memory goes back to the system.
  void Free(void* block) noexcept;

  // Bytes that may be used at `block`, at least what was asked for.
  std::size_t UsableSize(const void* block) const noexcept;

  // Tries to make `block` hold `size` bytes without moving it (a building arena's runs and large
  // blocks, and shrinking in a sealed arena). False when it must move, or had better: what a
  // process writes to a small sealed block costs it a whole OS page.
  bool ResizeInPlace(void* block, std::size_t size) noexcept;

  // The lane that holds `address`; precondition: FindArena(address) == this.
  LaneKind LaneOf(const void* address) const noexcept;

  // Every live block of a lane, in address order within each run of address space. Before the seal
  // only: the seal punches free memory out, and with it the free lists that tell live blocks from
  // free ones. False when the visitor stopped it.
  bool VisitBlocks(LaneKind lane, BlockVisitor visitor, void* context) noexcept;

  // Lowest and one past the highest address that the lane has ever handed out; both zero when it is
  // empty. May throw std::bad_alloc.
  struct AddressSpan {
    std::uintptr_t begin;
    std::uintptr_t end;
  };
  AddressSpan SpanOf(LaneKind lane) const;

  // building -> sealed: punches out OS pages without live blocks, remaps privately, seals the
  // files. On a failure on the way the arena is sealed as far as the kernel allowed, and stats()
  // says in unsealed_bytes what is missing.
  Status Seal() noexcept;

  // building -> abandoned: blocks live on as ordinary memory and are freed one by one.
  Status Abandon() noexcept;

  // building -> sealed, of an arena in which nothing was allocated: its lanes are parts of the file
  // `descriptor`, which may be closed then and must never be written to again. `blocks` are those
  // that lie there; the memory is given back when as many have been freed, or by ReleaseFile.
  // kOccupied, kRefused: the arena is released.
  os::MapResult MapFile(int descriptor, std::array<FileLane, kLaneCount>&& lanes,
                        std::size_t blocks) noexcept;
  // sealed -> released, of an arena that MapFile made. Precondition: nobody refers to it.
  void ReleaseFile() noexcept;

  // Called by the fork guard. Before fork(): turns shared mappings into private ones. After it, on
  // both sides: once more, what the kernel refused. In the child: abandons what was building. May
  // be called without the GIL, with every other thread at any point of its execution.
  void PrepareFork() noexcept;
  void AfterForkInParent() noexcept;
  void AfterForkInChild() noexcept;

  // What the calling process still shares of this arena, from /proc/self/pagemap. kWrongState
  // unless sealed.
  Status CountPages(std::array<PageCounts, kLaneCount>* by_lane) const noexcept;

  // Gives back what the calling process has copied of a slice of one lane and what is equal to the
  // sealed content again (reshare.h); adds to `result`. kWrongState unless sealed.
  Status Reshare(LaneKind lane, const ReshareSlice& slice, Reshared* result) noexcept;

  // The content of `address` as it was at the seal: the address of the same byte in the read-only
  // pristine mapping, or nullptr when there is none (no memfd, not sealed).
  const void* Pristine(const void* address) const noexcept;

  // The address of what the directory says of this arena (directory.h); 0 unless it is sealed and
  // holds anything.
  std::uintptr_t DirectoryEntryAddress() const noexcept { return directory_.entry(); }

  // Checks every invariant of README.md, and after the seal the checksum of every OS page (builds
  // with FZA_AUDIT only; elsewhere the invariants alone). Returns a static sentence on the first
  // one broken, else nullptr.
  const char* Audit() const noexcept;

  ArenaStats stats() const noexcept;

 private:
  friend bool FreeIfOurs(void* block) noexcept;
  Arena(const ArenaOptions& options, std::unique_ptr<Lane>* lanes) noexcept;
  ~Arena();
  void FreeIn(Region* region, void* block) noexcept;
  void MoveTo(ArenaState next) noexcept;
  Lane& lane(LaneKind kind) const noexcept { return *lanes_[static_cast<std::size_t>(kind)]; }
  void ReleaseMemory() noexcept;
  void EndSharing() noexcept;
  void DieUnlessWhole() const noexcept;  // audit builds, after the seal and before the release
  void LastBlockFreed() noexcept;        // may delete this

  Budget budget_;
  ArenaState state_ = ArenaState::kBuilding;
  bool has_handle_ = true;
  std::size_t live_blocks_ = 0;
  std::size_t overflow_blocks_ = 0;
  std::size_t overflow_bytes_ = 0;
  std::array<std::unique_ptr<Lane>, kLaneCount> lanes_;
  OsPageChecksums checksums_;
  Directory directory_;
};

// The arena that holds `address`, or nullptr. Lock-free, never faults, callable from any thread
// without the GIL. Read on every RAW free by allocator/hooks.cc.
Arena* FindArena(const void* address) noexcept;

// FindArena(block)->Free(block) with one look at the address map; false, and nothing has happened,
// when `block` lies in no arena.
bool FreeIfOurs(void* block) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_ARENA_ARENA_H_
