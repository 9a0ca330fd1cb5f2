#include "arena/reshare.h"

#include <cstring>
#include <new>

#include "arena/address_map.h"
#include "arena/lane.h"
#include "arena/os_memory.h"
#include "arena/page_accounting.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Collects equal OS pages that lie side by side, to drop them with one request.
class EqualRun {
 public:
  explicit EqualRun(Reshared* result) : result_(result) {}

  void Add(std::uintptr_t os_page) noexcept {
    if (os_page != end_ || end_ - begin_ >= kLongest) {
      Drop();
      begin_ = os_page;
    }
    end_ = os_page + os::PageSize();
  }

  void Drop() noexcept {
    if (begin_ != end_ && os::DropCopies(begin_, end_ - begin_)) {
      result_->dropped_os_pages += (end_ - begin_) / os::PageSize();
    }
    begin_ = end_ = 0;
  }

 private:
  // What was compared first waits no longer than the comparison of so much.
  static constexpr std::size_t kLongest = kGranuleSize;

  Reshared* result_;
  std::uintptr_t begin_ = 0;
  std::uintptr_t end_ = 0;
};

struct Walk {
  const Lane& lane;
  std::size_t left;  // OS pages that may still be compared
  Reshared* result;
  EqualRun equal;
};

bool Compare(void* context, std::uintptr_t os_page) noexcept {
  auto* const walk = static_cast<Walk*>(context);
  const auto* const copy =
      reinterpret_cast<const void*>(os_page);  // NOLINT(performance-no-int-to-ptr)
  const void* const pristine = walk->lane.Pristine(AddressMap::Find(os_page), copy);
  if (pristine == nullptr) return true;
  ++walk->result->compared_os_pages;
  if (std::memcmp(copy, pristine, os::PageSize()) == 0) walk->equal.Add(os_page);
  return --walk->left != 0;
}

}  // namespace

Status Reshare(const Lane& lane, const ReshareSlice& slice, Reshared* result) noexcept {
  try {
    Walk walk{lane, slice.most_compared, result, EqualRun(result)};
    const Status status =
        VisitPrivateOsPages(lane.Extents(), slice.range, &Compare, &walk, &result->next);
    walk.equal.Drop();
    return status;
  } catch (const std::bad_alloc&) {
    return Status::kNoMemory;
  }
}

}  // namespace frozen_arena
