#include "arena/file_part.h"

#include <algorithm>
#include <utility>

#include "arena/address_map.h"
#include "arena/mapping_lock.h"

namespace frozen_arena {

FilePart::FilePart(Arena* owner, Lane* owner_lane, FileLane&& what) noexcept
    : Region{owner, owner_lane, RegionKind::kFilePart}, lane_of_file_(std::move(what)) {}

std::unique_ptr<FilePart> FilePart::Map(Arena* arena, Lane* lane, int descriptor, FileLane&& what,
                                        os::MapResult* result) {
  std::unique_ptr<FilePart> part(new FilePart(arena, lane, std::move(what)));
  const std::uintptr_t begin = part->begin();
  const std::size_t size = part->size();
  const std::size_t offset = part->lane_of_file_.offset;
  const MappingLock lock(MappingMutex());
  *result = os::MapPrivate(begin, size, descriptor, offset);
  if (*result != os::MapResult::kMapped) return nullptr;
  if (!AddressMap::Assign(begin, begin + size, part.get())) {
    os::Unmap(begin, size);
    *result = os::MapResult::kRefused;
    return nullptr;
  }
  part->entered_ = true;
  if (os::LeavesRoom(size)) part->pristine_ = os::MapPristine(0, size, descriptor, offset);
  return part;
}

FilePart::~FilePart() {
  if (!entered_) return;
  const MappingLock lock(MappingMutex());
  AddressMap::Assign(begin(), begin() + size(), nullptr);
  os::Unmap(begin(), size());
  if (pristine_ != 0) os::Unmap(pristine_, size());
}

std::size_t FilePart::SizeOf(std::uintptr_t address) const noexcept {
  const std::vector<DirectoryArea>& areas = lane_of_file_.areas;
  auto after = std::upper_bound(
      areas.begin(), areas.end(), address,
      [](std::uintptr_t one, const DirectoryArea& area) { return one < area.begin; });
  if (after == areas.begin()) return 0;
  const DirectoryArea& area = *--after;
  return address - area.begin < area.size ? area.block_size : 0;
}

std::uintptr_t FilePart::Pristine(std::uintptr_t address) const noexcept {
  return pristine_ == 0 ? 0 : pristine_ + (address - begin());
}

void FilePart::Describe(Directory* directory) const noexcept {
  directory->AddExtent({begin(), size(), 0}, pristine_, nullptr, begin());
  for (const DirectoryArea& area : lane_of_file_.areas)
    directory->AddArea(area.begin, area.size, area.block_size);
}

}  // namespace frozen_arena
