#include "arena/copied_parts.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "arena/os_memory.h"
#include "arena/page_accounting.h"
#include "arena/units.h"

namespace frozen_arena {
namespace {

// Of an extent. Each takes up to two mappings, of which a process may have 65,530 as a rule
// (vm.max_map_count); with more of them fork() copies most page tables anyway.
constexpr std::size_t kMostApart = 512;

// The granules that an extent touches, numbered from its first.
class Granules {
 public:
  explicit Granules(const Extent& extent) noexcept
      : begin_(extent.address),
        end_(extent.address + extent.size),
        first_(RoundDown(extent.address, kGranuleSize)) {}

  std::size_t count() const noexcept { return NumberOf(end_ - 1) + 1; }
  std::size_t NumberOf(std::uintptr_t address) const noexcept {
    return (address - first_) >> kGranuleShift;
  }
  // The granules [first, last), as far as they belong to the extent.
  os::Stretch Stretch(std::size_t first, std::size_t last) const noexcept {
    const std::uintptr_t begin = std::max(begin_, first_ + (first << kGranuleShift));
    return {begin, std::min(end_, first_ + (last << kGranuleShift)) - begin};
  }

 private:
  std::uintptr_t begin_;
  std::uintptr_t end_;
  std::uintptr_t first_;
};

struct Moved {
  std::uintptr_t from;
  std::uintptr_t to;
};

bool BringBack(void* context, std::uintptr_t os_page) noexcept {
  const auto* const moved = static_cast<const Moved*>(context);
  void* const place = reinterpret_cast<void*>(os_page - moved->to +
                                              moved->from);  // NOLINT(performance-no-int-to-ptr)
  const auto* const copy =
      reinterpret_cast<const void*>(os_page);  // NOLINT(performance-no-int-to-ptr)
  if (std::memcmp(place, copy, os::PageSize()) != 0) std::memcpy(place, copy, os::PageSize());
  return true;
}

bool MapAnew(const os::Stretch& stretch, std::vector<Extent>* moved_extent) noexcept {
  const std::uintptr_t to = os::MoveAway(stretch.address, stretch.size);
  if (to == 0) return false;
  Moved moved{stretch.address, to};
  (*moved_extent)[0] = {to, stretch.size, 0};
  std::size_t next = 0;
  if (VisitPrivateOsPages(*moved_extent, {}, &BringBack, &moved, &next) != Status::kOk) {
    for (std::uintptr_t at = to; at < to + stretch.size; at += os::PageSize())
      BringBack(&moved, at);
  }
  os::Unmap(to, stretch.size);
  return true;
}

std::size_t RunsOf(const BitSet& granules) noexcept {
  std::size_t runs = 0;
  granules.ForEachRun([&runs](std::size_t /*first*/, std::size_t /*last*/) { ++runs; });
  return runs;
}

// Maps the granules of `extent` that are not `kept` anew. `apart` are those that are mappings of
// their own; the kept ones are afterwards. False: refused, and none is.
//
// Mappings beside each other become one when they were told the same, and its anon_vma is that of
// either. So granules are set apart by what they are told about reading ahead, which means nothing
// for a file in memory.
bool MapAnewBut(const Extent& extent, const BitSet& kept, BitSet* apart) {
  std::vector<Extent> moved_extent(1);
  const Granules granules(extent);
  BitSet others;  // set apart before, and without copies now
  others.Reserve(granules.count());
  apart->ForEachRun([&](std::size_t first, std::size_t last) { others.Set(first, last); });
  kept.ForEachRun([&](std::size_t first, std::size_t last) { others.Clear(first, last); });
  BitSet rest;
  rest.Set(0, granules.count());
  kept.ForEachRun([&](std::size_t first, std::size_t last) { rest.Clear(first, last); });
  others.ForEachRun([&](std::size_t first, std::size_t last) { rest.Clear(first, last); });
  BitSet apart_then = kept;  // nothing below allocates

  bool granted = RunsOf(kept) <= kMostApart;
  const auto tell = [&](const BitSet& which, os::ReadAhead what) {
    which.ForEachRun([&](std::size_t first, std::size_t last) {
      granted = granted && os::Tell(granules.Stretch(first, last), what);
    });
  };
  const auto map_anew = [&](const BitSet& which) {
    which.ForEachRun([&](std::size_t first, std::size_t last) {
      granted = granted && MapAnew(granules.Stretch(first, last), &moved_extent);
    });
  };
  tell(kept, os::ReadAhead::kNone);
  tell(others, os::ReadAhead::kMuch);
  map_anew(rest);
  map_anew(others);
  tell(others, os::ReadAhead::kUsual);
  if (!granted) {
    apart_then = {};
    static_cast<void>(os::Tell({extent.address, extent.size}, os::ReadAhead::kUsual));
  }
  *apart = std::move(apart_then);
  return granted;
}

}  // namespace

CopiedParts::Walk::Walk(CopiedParts* parts, const std::vector<Extent>& extents)
    : parts_(parts), extents_(extents), kept_(extents.size()) {
  parts_->parts_.resize(extents.size());
  for (std::size_t i = 0; i < extents.size(); ++i) kept_[i].Reserve(Granules(extents[i]).count());
}

std::size_t CopiedParts::Walk::PartOf(std::uintptr_t address) const noexcept {
  const auto after =
      std::upper_bound(extents_.begin(), extents_.end(), address,
                       [](std::uintptr_t a, const Extent& extent) { return a < extent.address; });
  return static_cast<std::size_t>(after - extents_.begin()) - 1;
}

void CopiedParts::Walk::Dropped(std::uintptr_t os_page) noexcept {
  parts_->parts_[PartOf(os_page)].dropped = true;
}

void CopiedParts::Walk::Kept(std::uintptr_t begin, std::size_t size) noexcept {
  // A stretch may reach from one extent into the next.
  for (std::uintptr_t at = begin; at < begin + size; at += os::PageSize()) {
    const std::size_t part = PartOf(at);
    const std::size_t granule = Granules(extents_[part]).NumberOf(at);
    kept_[part].Set(granule, granule + 1);
  }
}

void CopiedParts::Walk::MapAnew() {
  for (std::size_t i = 0; i < extents_.size(); ++i) {
    Part& part = parts_->parts_[i];
    if (part.dropped && MapAnewBut(extents_[i], kept_[i], &part.apart)) part.dropped = false;
  }
}

}  // namespace frozen_arena
