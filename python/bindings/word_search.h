// Searches over copies of memory, word by word, for what explains copied OS pages: the rest of that
// is Python, these two loops go over gigabytes.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_WORD_SEARCH_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_WORD_SEARCH_H_

#include <pybind11/pybind11.h>

namespace frozen_arena {

void BindWordSearch(pybind11::module_& module);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_WORD_SEARCH_H_
