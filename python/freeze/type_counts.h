// TypeCounts: what a ledger says of each type, for people.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_TYPE_COUNTS_H_
#define FROZEN_ARENA_PYTHON_FREEZE_TYPE_COUNTS_H_

#include <deque>
#include <string>
#include <vector>

#include "python/freeze/type_info.h"

namespace frozen_arena {

struct TypeCount {
  std::string type;    // module.qualname
  std::string reason;  // empty for frozen ones
  std::size_t count;
};

// Adds to `frozen` the objects of each type that are not counted as mortal, to `mortal` the others
// by type and reason; both then have the most frequent first. May throw std::bad_alloc.
void CountTypes(const std::deque<TypeInfo>& infos, std::vector<TypeCount>* frozen,
                std::vector<TypeCount>* mortal);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_TYPE_COUNTS_H_
