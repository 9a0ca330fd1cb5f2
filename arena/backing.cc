#include "arena/backing.h"

#include <algorithm>
#include <new>

#include "arena/check.h"
#include "arena/units.h"

namespace frozen_arena {

Backing::Backing(const char* file_name) noexcept
    : mode_(BackingMode::kShared), file_name_(file_name) {
  SetFile(os::CreateMemfd(file_name_));
  if (descriptor_ < 0) mode_ = BackingMode::kAnonymous;
}

Backing::~Backing() {
  SetFile(-1);
  if (pristine_begin_ != 0) os::Unmap(pristine_begin_, pristine_size_);
}

void Backing::SetFile(int descriptor) noexcept {
  // What has our number now and is somebody else's stays open.
  if (descriptor_ >= 0 && os::IdentityOf(descriptor_) == identity_) os::Close(descriptor_);
  descriptor_ = descriptor;
  identity_ = os::IdentityOf(descriptor);
}

bool Backing::KeepFile() noexcept {
  if (descriptor_ < 0 || os::IdentityOf(descriptor_) == identity_) return descriptor_ >= 0;
  SetFile(os::CreateMemfd(file_name_));
  moved_ = true;
  if (descriptor_ >= 0 && file_size_ != 0 && !os::Truncate(descriptor_, file_size_)) SetFile(-1);
  return descriptor_ >= 0;
}

bool Backing::Grow(std::size_t size) noexcept {
  if (size <= file_size_) return true;
  // In steps, so that a lane which grows slice by slice does not truncate for each.
  const std::size_t step = RoundUp(size, 16 * kMiB);
  if (!os::Truncate(descriptor_, step)) return false;
  file_size_ = step;
  return true;
}

os::MapResult Backing::Map(const AddressRange& range, const Extent& extent) noexcept {
  if (mode_ != BackingMode::kShared) {
    return AddressSpace::Map(range, extent.address, extent.size, -1, 0);
  }
  if (!KeepFile() || !Grow(extent.offset + extent.size)) return os::MapResult::kRefused;
  return AddressSpace::Map(range, extent.address, extent.size, descriptor_, extent.offset);
}

bool Backing::Punch(const Extent& extent) noexcept {
  switch (mode_) {
    case BackingMode::kShared:
      // By the mapping where it is of a file that is gone; that is refused for locked memory.
      if (!KeepFile() || moved_) return os::PunchShared(extent.address, extent.size);
      return os::PunchFile(descriptor_, extent.offset, extent.size);
    case BackingMode::kMoved:
      return os::PunchFile(descriptor_, extent.offset, extent.size);
    case BackingMode::kAnonymous:
      return os::PunchAnonymous(extent.address, extent.size);
    case BackingMode::kPrivate:  // what is dropped would come back from the file with its old
                                 // content
    case BackingMode::kSealed:
      break;
  }
  return false;
}

bool Backing::MakePrivate(const Extent& extent) noexcept {
  if (mode_ == BackingMode::kShared) mode_ = BackingMode::kPrivate;
  const auto* const content =
      reinterpret_cast<const void*>(extent.address);  // NOLINT(performance-no-int-to-ptr)
  if (KeepFile() && moved_ && !os::WriteAll(descriptor_, content, extent.size, extent.offset))
    return false;
  // Asked twice: what stays shared, parent and child write to together, and a refusal may pass.
  for (int asked = 0; asked < 2; ++asked) {
    if (os::RemapPrivate(extent.address, extent.size, descriptor_, extent.offset)) return true;
  }
  // A worker without its data is better than one that writes to its parent's. Until this mapping is
  // replaced: a child asks for it too (fork_guard.cc), and gets it if the kernel lets it.
  os::KeepFromChildren(extent.address, extent.size);
  return false;
}

void Backing::CloseFile() noexcept {
  if (mode_ == BackingMode::kShared) mode_ = BackingMode::kPrivate;
  // Whoever has opened the file a second time would change what is still read from it. Refused when
  // it is not ours any more, sealed already, or mapped shared by somebody else.
  if (descriptor_ >= 0 && !file_sealed_ && os::IdentityOf(descriptor_) == identity_)
    static_cast<void>(os::SealFile(descriptor_));
  SetFile(-1);
}

namespace {

bool WriteLive(int file, const Extent& extent, const BitSet* live) noexcept {
  const std::size_t page = os::PageSize();
  const std::size_t end = (extent.offset + extent.size) / page;
  for (std::size_t first = extent.offset / page; first < end;) {
    if (live != nullptr) first = live->NextMember(first, end);
    const std::size_t last = live != nullptr ? live->NextGap(first, end) : end;
    const std::uintptr_t from = extent.address + (first * page - extent.offset);
    const auto* const source =
        reinterpret_cast<const void*>(from);  // NOLINT(performance-no-int-to-ptr)
    if (first < last && !os::WriteAll(file, source, (last - first) * page, first * page))
      return false;
    first = last;
  }
  return true;
}

}  // namespace

bool Backing::MoveToNewFile(const std::vector<Extent>& extents, const BitSet* live) noexcept {
  const int fresh = os::CreateMemfd(file_name_);
  if (fresh < 0) return false;
  std::size_t size = 0;
  for (const Extent& extent : extents) size = std::max(size, extent.offset + extent.size);
  bool good = os::Truncate(fresh, size);
  for (const Extent& extent : extents) good = good && WriteLive(fresh, extent, live);
  if (!good) {
    os::Close(fresh);
    return false;
  }
  SetFile(fresh);
  file_size_ = size;
  moved_ = true;
  return true;
}

bool Backing::ReadyToSeal(const std::vector<Extent>& extents, const BitSet* live) noexcept {
  if (mode_ == BackingMode::kShared && KeepFile() && !moved_) return true;
  const bool elsewhere = mode_ == BackingMode::kPrivate || mode_ == BackingMode::kShared;
  // What another thread writes between the copy and the remap would be lost.
  if (elsewhere && !os::HasOtherThreads() && MoveToNewFile(extents, live))
    mode_ = BackingMode::kMoved;
  return mode_ == BackingMode::kMoved;
}

std::size_t Backing::Seal(const std::vector<Extent>& extents) noexcept {
  FZA_DCHECK(mode_ == BackingMode::kShared || mode_ == BackingMode::kMoved);
  std::size_t granted = 0;
  for (const Extent& extent : extents) {
    if (!os::RemapPrivate(extent.address, extent.size, descriptor_, extent.offset)) break;
    ++granted;
  }
  if (granted < extents.size()) {
    mode_ = BackingMode::kPrivate;
    return granted;
  }
  mode_ = BackingMode::kSealed;
  file_sealed_ = os::SealFile(descriptor_);
  if (file_sealed_) MapPristine(extents);  // a copy that somebody can change is not pristine
  CloseFile();
  return granted;
}

void Backing::MapPristine(const std::vector<Extent>& extents) noexcept {
  std::size_t total = 0;
  for (const Extent& extent : extents) total += extent.size;
  if (total == 0 || !os::LeavesRoom(total)) return;
  try {
    pristine_runs_.reserve(extents.size());
  } catch (const std::bad_alloc&) {
    return;  // as without address space for it: what was copied can be counted, not explained
  }
  std::uintptr_t at = extents.size() == 1 ? 0 : os::Reserve(total, os::PageSize());
  if (at == 0 && extents.size() != 1) return;
  pristine_begin_ = at;
  pristine_size_ = total;
  for (const Extent& extent : extents) {
    const std::uintptr_t mapped = os::MapPristine(at, extent.size, descriptor_, extent.offset);
    if (mapped == 0) {
      if (pristine_begin_ == 0) pristine_size_ = 0;
      return;
    }
    if (pristine_begin_ == 0) pristine_begin_ = mapped;
    pristine_runs_.push_back({extent.address, extent.size, mapped});
    at = mapped + extent.size;
  }
  std::sort(pristine_runs_.begin(), pristine_runs_.end(),
            [](const PristineRun& a, const PristineRun& b) { return a.address < b.address; });
}

std::uintptr_t Backing::Pristine(std::uintptr_t address) const noexcept {
  auto after =
      std::upper_bound(pristine_runs_.begin(), pristine_runs_.end(), address,
                       [](std::uintptr_t a, const PristineRun& run) { return a < run.address; });
  if (after == pristine_runs_.begin()) return 0;
  const PristineRun& run = *--after;
  return address - run.address < run.size ? run.pristine + (address - run.address) : 0;
}

}  // namespace frozen_arena
