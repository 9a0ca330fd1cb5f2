#include "python/image/build_id.h"

#include <cstdint>
#include <cstring>
#include <new>

#include <link.h>

namespace frozen_arena {
namespace {

struct Search {
  std::uintptr_t address;
  Library library;
  bool no_memory = false;
};

// NT_GNU_BUILD_ID of the notes in [at, at + size); padding is to four bytes.
void ReadNotes(const char* at, std::size_t size, std::string* id) {
  constexpr char kGnu[] = "GNU";
  while (size >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, at, sizeof head);
    const std::size_t name = (std::size_t{head.n_namesz} + 3) / 4 * 4;
    const std::size_t text = (std::size_t{head.n_descsz} + 3) / 4 * 4;
    if (size - sizeof head < name + text) return;
    const char* const descriptor = at + sizeof head + name;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == sizeof kGnu &&
        std::memcmp(at + sizeof head, kGnu, sizeof kGnu) == 0) {
      for (std::size_t i = 0; i < head.n_descsz; ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(descriptor[i]);
        id->push_back(kDigits[byte >> 4]);
        id->push_back(kDigits[byte & 15]);
      }
      return;
    }
    at += sizeof head + name + text;
    size -= sizeof head + name + text;
  }
}

int LookAt(dl_phdr_info* info, std::size_t /*size*/, void* context) {
  auto* const search = static_cast<Search*>(context);
  bool here = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && search->address - begin < part.p_memsz) here = true;
  }
  if (!here) return 0;
  try {
    search->library.found = true;
    search->library.path = info->dlpi_name;
    for (int i = 0; i < info->dlpi_phnum && search->library.build_id.empty(); ++i) {
      const ElfW(Phdr)& part = info->dlpi_phdr[i];
      const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
      if (part.p_type != PT_NOTE) continue;
      ReadNotes(reinterpret_cast<const char*>(begin),  // NOLINT(performance-no-int-to-ptr)
                part.p_memsz, &search->library.build_id);
    }
  } catch (const std::bad_alloc&) {
    search->no_memory = true;
  }
  return 1;
}

}  // namespace

Library LibraryAt(const void* address) {
  Search search{reinterpret_cast<std::uintptr_t>(address), {}};
  dl_iterate_phdr(&LookAt, &search);
  if (search.no_memory) throw std::bad_alloc();
  return search.library;
}

}  // namespace frozen_arena
