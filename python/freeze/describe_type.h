// DescribeType: fills in what a TypeInfo says of the type itself, from the layout table and the
// type's own slots.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_DESCRIBE_TYPE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_DESCRIBE_TYPE_H_

#include "python/freeze/type_info.h"

namespace frozen_arena {

// Everything but `reason` and the counters; `info->type` is set. Runs no Python code.
void DescribeType(TypeInfo* info) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_DESCRIBE_TYPE_H_
