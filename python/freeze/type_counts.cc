#include "python/freeze/type_counts.h"

#include <algorithm>

namespace frozen_arena {

void CountTypes(const std::deque<TypeInfo>& infos, std::vector<TypeCount>* frozen,
                std::vector<TypeCount>* mortal) {
  for (const TypeInfo& info : infos) {
    if (info.objects == 0) continue;
    const std::string name = FullName(info.type);
    std::size_t rest = info.objects;
    for (std::size_t reason = 0; reason < kReasonCount; ++reason) {
      const std::size_t count = info.mortal[reason];
      if (count == 0) continue;
      rest -= count;
      mortal->push_back({name, Describe(static_cast<Reason>(reason)), count});
    }
    if (rest != 0) frozen->push_back({name, "", rest});
  }
  const auto more = [](const TypeCount& a, const TypeCount& b) {
    return a.count != b.count ? a.count > b.count : a.type < b.type;
  };
  std::sort(frozen->begin(), frozen->end(), more);
  std::sort(mortal->begin(), mortal->end(), more);
}

}  // namespace frozen_arena
