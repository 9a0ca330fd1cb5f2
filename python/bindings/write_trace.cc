#include "python/bindings/write_trace.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena/write_watch.h"
#include "python/bindings/arena.h"
#include "python/bindings/errors.h"
#include "python/layout/frames.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

constexpr int kMostFrames = 24;  // of a stack, innermost first

// Text that a handler has copied: the end of what is longer. UTF-8.
template <std::size_t kSize>
struct Text {
  std::array<char, kSize> bytes;
  std::uint16_t length;

  // Reads a str as it lies; makes nothing.
  void Copy(PyObject* text) noexcept {
    length = 0;
    if (text == nullptr || !PyUnicode_Check(text)) return;
    const Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    const int kind = static_cast<int>(PyUnicode_KIND(text));
    const void* const data = PyUnicode_DATA(text);
    std::size_t needed = 0;
    Py_ssize_t first = size;
    while (first > 0) {
      const std::size_t more = Width(PyUnicode_READ(kind, data, first - 1));
      if (needed + more > kSize) break;
      needed += more;
      --first;
    }
    for (; first < size; ++first) Append(PyUnicode_READ(kind, data, first));
  }

  py::object Get() const {
    PyObject* const text = PyUnicode_DecodeUTF8(bytes.data(), length, "surrogatepass");
    if (text == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(text);
  }

 private:
  static std::size_t Width(Py_UCS4 point) noexcept {
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  void Append(Py_UCS4 point) noexcept {
    const std::size_t width = Width(point);
    if (length + width > kSize) return;
    constexpr std::array<unsigned, 5> kLead = {0, 0, 0xC0, 0xE0, 0xF0};
    for (std::size_t i = width; i-- > 1; point >>= 6)
      bytes[length + i] = static_cast<char>(0x80 | (point & 0x3F));
    bytes[length] = static_cast<char>(kLead[width] | point);
    length = static_cast<std::uint16_t>(length + width);
  }
};

struct Line {
  Text<238> file;
  Text<94> function;
  int line;
};

struct Write {
  std::uintptr_t address;
  std::uintptr_t instruction;
  int thread;
  int frames;
  std::atomic<bool> complete;
  std::array<Line, kMostFrames> stack;
};

// Where handlers write: zeroed memory of the system, touched as it fills. Guarded by the watch:
// handlers run while it is on only, everything else holds the GIL.
struct Buffer {
  Write* writes = nullptr;
  std::size_t limit = 0;
  std::atomic<std::size_t> taken{0};  // may run past the limit
};
Buffer record;

bool AddFrame(void* context, PyCodeObject* code, int instruction) {
  auto* const write = static_cast<Write*>(context);
  Line& line = write->stack[static_cast<std::size_t>(write->frames)];
  line.file.Copy(code->co_filename);
  line.function.Copy(code->co_qualname);
  line.line = instruction < 0 ? code->co_firstlineno : PyCode_Addr2Line(code, instruction);
  return ++write->frames < kMostFrames;
}

bool AddWrite(std::uintptr_t address, std::uintptr_t instruction) {
  const std::size_t index = record.taken.fetch_add(1);
  if (index >= record.limit) return false;
  Write& write = record.writes[index];
  write.address = address;
  write.instruction = instruction;
  write.thread = static_cast<int>(::gettid());
  WriteWatch::ReadGuarded([](void* to) { VisitFramesOfThisThread(&AddFrame, to); }, &write);
  write.complete.store(true, std::memory_order_release);
  return index + 1 < record.limit;
}

void Forget() noexcept {
  if (record.writes != nullptr) ::munmap(record.writes, record.limit * sizeof(Write));
  record.writes = nullptr;
  record.limit = 0;
  record.taken.store(0);
}

void Begin(const py::list& handles, std::size_t limit) {
  if (WriteWatch::IsOn()) ThrowStatus(Status::kWrongState);
  std::vector<Arena*> arenas;
  for (const py::handle handle : handles) arenas.push_back(&py::cast<ArenaHandle&>(handle).arena());
  Forget();
  void* const memory = ::mmap(nullptr, limit * sizeof(Write), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  record.writes = static_cast<Write*>(memory);
  record.limit = limit;
  const Status status = WriteWatch::Begin(arenas, &AddWrite);
  if (status == Status::kNoMemory) throw std::bad_alloc();
  if (status != Status::kOk) ThrowStatus(status);
}

std::size_t Count() noexcept { return std::min(record.taken.load(), record.limit); }

py::list StackOf(const Write& write) {
  py::list stack;
  for (int i = 0; i < write.frames; ++i) {
    const Line& line = write.stack[static_cast<std::size_t>(i)];
    stack.append(py::make_tuple(line.file.Get(), line.line, line.function.Get()));
  }
  return stack;
}

// The shared library that an instruction lies in; "" where the loader does not know.
std::string LibraryOf(std::uintptr_t instruction) {
  Dl_info facts{};
  const void* const where =
      reinterpret_cast<const void*>(instruction);  // NOLINT(performance-no-int-to-ptr)
  if (instruction == 0 || ::dladdr(where, &facts) == 0 || facts.dli_fname == nullptr) return "";
  return facts.dli_fname;
}

// Records from number `first` on: (address, lane or -1, thread, library, stack).
py::list Writes(std::size_t first) {
  py::list list;
  for (std::size_t i = first; i < Count(); ++i) {
    const Write& write = record.writes[i];
    if (!write.complete.load(std::memory_order_acquire)) break;  // another thread is at it
    const auto* const address =
        reinterpret_cast<const void*>(write.address);  // NOLINT(performance-no-int-to-ptr)
    const Arena* const arena = FindArena(address);
    const int lane = arena == nullptr ? -1 : static_cast<int>(arena->LaneOf(address));
    list.append(py::make_tuple(write.address, lane, write.thread, LibraryOf(write.instruction),
                               StackOf(write)));
  }
  return list;
}

}  // namespace

void BindWriteTrace(py::module_& module) {
  module.def("trace_writes_begin", &Begin, py::arg("arenas"), py::arg("limit"));
  module.def("trace_writes_end", &WriteWatch::End);
  module.def("traced_count", [] {
    return py::make_tuple(Count(), record.limit != 0 && record.taken.load() >= record.limit);
  });
  module.def("traced_writes", &Writes, py::arg("first"));
}

}  // namespace frozen_arena
