// BuildId: which build of a library some code or data belongs to.
#ifndef FROZEN_ARENA_PYTHON_IMAGE_BUILD_ID_H_
#define FROZEN_ARENA_PYTHON_IMAGE_BUILD_ID_H_

#include <string>

namespace frozen_arena {

struct Library {
  std::string path;      // empty: the program itself
  std::string build_id;  // hexadecimal, of the linker's note; empty where there is none
  bool found = false;
};

// The library that `address` lies in, by its program headers. May throw std::bad_alloc.
Library LibraryAt(const void* address);

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_IMAGE_BUILD_ID_H_
