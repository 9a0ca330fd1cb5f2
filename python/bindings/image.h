// The Python side of images: what frozen_arena/images.py calls.
#ifndef FROZEN_ARENA_PYTHON_BINDINGS_IMAGE_H_
#define FROZEN_ARENA_PYTHON_BINDINGS_IMAGE_H_

#include <pybind11/pybind11.h>

namespace frozen_arena {

void BindImage(pybind11::module_& module);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_BINDINGS_IMAGE_H_
