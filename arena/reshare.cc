#include "arena/reshare.h"

#include <array>
#include <cstring>
#include <new>

#include "arena/address_map.h"
#include "arena/copied_parts.h"
#include "arena/lane.h"
#include "arena/mapping_lock.h"
#include "arena/os_memory.h"
#include "arena/page_accounting.h"

namespace frozen_arena {
namespace {

// Collects equal OS pages, to drop them with one request.
class EqualOsPages {
 public:
  EqualOsPages(Reshared* result, CopiedParts::Walk* parts) : result_(result), parts_(parts) {}

  void Add(std::uintptr_t os_page) noexcept {
    if (count_ != 0 && os_page == stretches_[count_ - 1].address + stretches_[count_ - 1].size) {
      stretches_[count_ - 1].size += os::PageSize();
    } else {
      stretches_[count_++] = {os_page, os::PageSize()};
    }
    if (++os_pages_ == kMost) Drop();
  }

  void Drop() noexcept {
    if (count_ == 0) return;
    const std::size_t dropped = os::DropCopies(stretches_.data(), count_) / os::PageSize();
    result_->dropped_os_pages += dropped;
    for (std::size_t i = 0; i < count_; ++i) {
      if (dropped != 0) parts_->Dropped(stretches_[i].address);
      if (dropped != os_pages_) parts_->Kept(stretches_[i].address, stretches_[i].size);
    }
    count_ = os_pages_ = 0;
  }

 private:
  // What was compared first waits no longer than the comparison of so many.
  static constexpr std::size_t kMost = 512;

  Reshared* result_;
  CopiedParts::Walk* parts_;
  std::array<os::Stretch, kMost> stretches_{};
  std::size_t count_ = 0;
  std::size_t os_pages_ = 0;
};

// Compares copies with their pristine side, each while the next is on its way from memory.
class Comparison {
 public:
  Comparison(Reshared* result, CopiedParts::Walk* parts)
      : result_(result), parts_(parts), equal_(result, parts) {}

  void Add(const void* copy, const void* pristine) noexcept {
    Fetch(copy);
    Fetch(pristine);
    CompareLast();
    copy_ = copy;
    pristine_ = pristine;
    ++result_->compared_os_pages;
  }

  void Finish() noexcept {
    CompareLast();
    equal_.Drop();
  }

 private:
  static void Fetch(const void* os_page) noexcept {
    constexpr std::size_t kCacheLine = 64;
    for (std::size_t offset = 0; offset < os::PageSize(); offset += kCacheLine)
      __builtin_prefetch(static_cast<const char*>(os_page) + offset);
  }

  void CompareLast() noexcept {
    if (copy_ == nullptr) return;
    const auto os_page = reinterpret_cast<std::uintptr_t>(copy_);
    if (std::memcmp(copy_, pristine_, os::PageSize()) == 0) {
      equal_.Add(os_page);
    } else {
      parts_->Kept(os_page, os::PageSize());
    }
  }

  Reshared* result_;
  CopiedParts::Walk* parts_;
  EqualOsPages equal_;
  const void* copy_ = nullptr;
  const void* pristine_ = nullptr;
};

struct Walk {
  const Lane& lane;
  std::size_t left;  // OS pages that may still be compared
  CopiedParts::Walk* parts;
  Comparison comparison;
};

bool Compare(void* context, std::uintptr_t os_page) noexcept {
  auto* const walk = static_cast<Walk*>(context);
  const auto* const copy =
      reinterpret_cast<const void*>(os_page);  // NOLINT(performance-no-int-to-ptr)
  const void* const pristine = walk->lane.Pristine(AddressMap::Find(os_page), copy);
  if (pristine == nullptr) {
    walk->parts->Kept(os_page, os::PageSize());
    return true;
  }
  walk->comparison.Add(copy, pristine);
  return --walk->left != 0;
}

}  // namespace

Status Reshare(Lane& lane, const ReshareSlice& slice, Reshared* result) noexcept {
  try {
    const std::vector<Extent> extents = lane.Extents();
    CopiedParts::Walk parts(&lane.copied_parts(), extents);
    Walk walk{lane, slice.most_compared, &parts, Comparison(result, &parts)};
    const Status status = VisitPrivateOsPages(extents, slice.range, &Compare, &walk, &result->next);
    walk.comparison.Finish();
    const bool was_all = status == Status::kOk && slice.range.first == 0 && result->next == 0;
    if (was_all && slice.map_anew) {
      const MappingLock lock(MappingMutex());
      parts.MapAnew();
    }
    return status;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

}  // namespace frozen_arena
