// Description: the whole table of layouts as text, for readers that cannot ask this interpreter:
// the part of the package that explains a copied OS page reads it, of its own process or, through
// /proc/PID/mem, of another one, whose Python may be of another version.
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_DESCRIPTION_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_DESCRIPTION_H_

#include <string>

namespace frozen_arena {

// One JSON object: "constants" (numbers by name), "types" (by tp_name: "basicsize", "fields" as
// [name, kind, offset, size] in bytes, "items" as one such or null), "python" (the version as
// text). Made once; the string lives as long as the process. Needs the GIL. May throw
// std::bad_alloc.
const std::string& DescribeLayout();

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_DESCRIPTION_H_
