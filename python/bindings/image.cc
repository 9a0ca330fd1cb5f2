#include "python/bindings/image.h"

#include <array>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "python/bindings/arena.h"
#include "python/image/build_id.h"
#include "python/image/relocation.h"
#include "python/image/sketch.h"
#include "python/image/writer.h"
#include "python/layout/description.h"
#include "python/layout/types.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

template <typename T>
py::bytes AsBytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// A copy of the numbers in an object that gives its memory. Raises BufferError and the like.
template <typename T>
std::vector<T> NumbersIn(const py::buffer& memory) {
  Py_buffer view;
  if (PyObject_GetBuffer(memory.ptr(), &view, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  std::vector<T> numbers;
  try {
    numbers.resize(static_cast<std::size_t>(view.len) / sizeof(T));
  } catch (...) {
    PyBuffer_Release(&view);
    throw;
  }
  if (!numbers.empty()) std::memcpy(numbers.data(), view.buf, numbers.size() * sizeof(T));
  PyBuffer_Release(&view);
  return numbers;
}

// `_core.ImageWriter`: one image, from the plan to the bytes.
class WriterHandle {
 public:
  WriterHandle(const ArenaHandle& handle, const py::object& root) {
    Note(writer_.Plan(handle.arena(), root.ptr()));
  }

  // Why it cannot be saved, of the object that is last in chain(); None when it can.
  py::object Refusal() const {
    return refusal_ == nullptr ? py::object(py::none()) : py::object(py::str(refusal_));
  }
  py::list ChainTo(const py::object& object) const {
    py::list chain;
    for (PyObject* const one : writer_.ChainTo(object.ptr()))
      chain.append(py::reinterpret_borrow<py::object>(one));
    return chain;
  }
  py::list Chain() const {
    if (writer_.refused() == nullptr) return py::list();
    return ChainTo(py::reinterpret_borrow<py::object>(writer_.refused()));
  }

  // (object, its address, how many words hold it); the first is None for what empty dicts share.
  py::list Externals() const {
    py::list list;
    for (const ImageWriter::External& one : writer_.externals()) {
      const py::object object = one.object == nullptr
                                    ? py::object(py::none())
                                    : py::reinterpret_borrow<py::object>(one.object);
      const auto address = reinterpret_cast<std::uintptr_t>(writer_.AddressOf(one));
      list.append(py::make_tuple(object, address, one.words.size()));
    }
    return list;
  }
  // The words of all externals, one after another: 32-bit numbers of 8-byte words.
  py::bytes Words() const {
    std::vector<std::uint32_t> all;
    for (const ImageWriter::External& one : writer_.externals())
      all.insert(all.end(), one.words.begin(), one.words.end());
    return AsBytes(all);
  }
  // (bytes, live bytes) by lane.
  py::tuple Lanes() const {
    return py::make_tuple(py::make_tuple(writer_.LaneSize(0), writer_.space(0).live_bytes()),
                          py::make_tuple(writer_.LaneSize(1), writer_.space(1).live_bytes()));
  }
  // Three 64-bit numbers for each: begin, size, size of a block; in bytes from the image's begin.
  py::bytes Areas() const {
    std::vector<DirectoryArea> areas = writer_.space(0).areas();
    for (DirectoryArea area : writer_.space(1).areas()) {
      area.begin += writer_.LaneSize(0);
      areas.push_back(area);
    }
    return AsBytes(areas);
  }
  py::bytes Checks() const { return AsBytes(writer_.checks()); }
  // Into writable memory of zeros; false: refusal and chain say why.
  bool Write(const py::buffer& memory, std::uintptr_t base) {
    Py_buffer view;
    if (PyObject_GetBuffer(memory.ptr(), &view, PyBUF_WRITABLE) != 0) throw py::error_already_set();
    const bool fits = static_cast<std::size_t>(view.len) >= writer_.size();
    try {
      if (fits) Note(writer_.Write(static_cast<char*>(view.buf), base));
    } catch (...) {
      PyBuffer_Release(&view);
      throw;
    }
    PyBuffer_Release(&view);
    if (!fits) throw py::value_error("the memory is smaller than the image");
    return refusal_ == nullptr;
  }
  std::size_t Objects() const { return writer_.objects(); }
  std::size_t Blocks() const { return writer_.blocks(); }
  std::size_t RootPlace() const { return writer_.root_place(); }

 private:
  void Note(const char* refusal) { refusal_ = refusal; }

  ImageWriter writer_;
  const char* refusal_ = nullptr;
};

// "mapped", "occupied" or "refused". `places`: base, offset in the file, then bytes and live bytes
// of the objects and of the payload.
const char* MapImage(const ArenaHandle& handle, int descriptor,
                     const std::array<std::size_t, 6>& places, const py::buffer& areas,
                     std::size_t blocks) {
  const auto [base, offset, objects, live_objects, payload, live_payload] = places;
  std::array<FileLane, kLaneCount> lanes;
  lanes[0] = {base, objects, offset, live_objects, {}};
  lanes[1] = {base + objects, payload, offset + objects, live_payload, {}};
  for (DirectoryArea area : NumbersIn<DirectoryArea>(areas)) {
    const std::size_t lane = area.begin < objects ? 0 : 1;
    const std::size_t end = lane == 0 ? objects : objects + payload;
    if (area.begin > end || area.size > end - area.begin || area.block_size == 0 ||
        area.block_size > area.size || area.begin % Space::kUnit != 0)
      throw py::value_error("an area is not within its lane");
    area.begin += base;
    std::vector<DirectoryArea>& all = lanes[lane].areas;
    if (!all.empty() && all.back().begin + all.back().size > area.begin)
      throw py::value_error("areas overlap");
    all.push_back(area);
  }
  const std::string& layout = DescribeLayout();
  SetDirectoryNote(layout.data(), layout.size());
  switch (handle.arena().MapFile(descriptor, std::move(lanes), blocks)) {
    case os::MapResult::kMapped:
      return "mapped";
    case os::MapResult::kOccupied:
      return "occupied";
    case os::MapResult::kRefused:
      break;
  }
  return "refused";
}

// What a table says of a mapped image is looked up here only: it lies in the arena.
MappedImage ImageIn(const ArenaHandle& handle, std::uintptr_t base, std::size_t size) {
  const auto* const last =
      reinterpret_cast<const void*>(base + size - 1);  // NOLINT(performance-no-int-to-ptr)
  const auto* const first =
      reinterpret_cast<const void*>(base);  // NOLINT(performance-no-int-to-ptr)
  if (size == 0 || FindArena(first) != &handle.arena() || FindArena(last) != &handle.arena())
    throw py::value_error("the image does not lie there");
  return {base, size};
}

bool Patch(const ArenaHandle& handle, std::uintptr_t base, std::size_t size,
           const py::buffer& words, std::uint64_t then, std::uint64_t now) {
  const std::vector<std::uint32_t> numbers = NumbersIn<std::uint32_t>(words);
  return PatchWords(ImageIn(handle, base, size), numbers, then, now);
}

bool Fit(const ArenaHandle& handle, std::uintptr_t base, std::size_t size,
         const py::buffer& pairs) {
  const std::vector<std::uint32_t> numbers = NumbersIn<std::uint32_t>(pairs);
  return PairsFit(ImageIn(handle, base, size), numbers);
}

// (True, None), or (False, the key whose hash is another one).
py::tuple Compare(const ArenaHandle& handle, std::uintptr_t base, std::size_t size,
                  const py::buffer& pairs) {
  PyObject* key = nullptr;
  const std::vector<std::uint32_t> numbers = NumbersIn<std::uint32_t>(pairs);
  const int result = CompareHashes(ImageIn(handle, base, size), numbers, &key);
  if (result < 0) throw py::error_already_set();
  const py::object which =
      key == nullptr ? py::object(py::none()) : py::reinterpret_borrow<py::object>(key);
  return py::make_tuple(result == 1, which);
}

py::object ObjectAt(const ArenaHandle& handle, std::uintptr_t address) {
  auto* const object = reinterpret_cast<PyObject*>(address);  // NOLINT(performance-no-int-to-ptr)
  if (FindArena(object) != &handle.arena()) throw py::value_error("no object lies there");
  return py::reinterpret_borrow<py::object>(object);
}

std::uintptr_t EmptyKeysAddress() {
  const void* const keys = EmptyKeys();
  if (keys == nullptr) throw py::error_already_set();
  return reinterpret_cast<std::uintptr_t>(keys);
}

// (path, build id) of the library whose code makes the objects of a type.
py::object LibraryOfType(const py::type& type) {
  const PyTypeObject* const base = BestCBase(reinterpret_cast<PyTypeObject*>(type.ptr()));
  const void* const in_code =
      HasFlag(base, Py_TPFLAGS_HEAPTYPE) ? reinterpret_cast<const void*>(base->tp_dealloc) : base;
  const Library library = LibraryAt(in_code);
  if (!library.found) return py::none();
  return py::make_tuple(library.path, library.build_id);
}

}  // namespace

void BindImage(py::module_& module) {
  py::class_<WriterHandle>(module, "ImageWriter", "One image, from the plan to the bytes.")
      .def(py::init<const ArenaHandle&, const py::object&>(), py::arg("arena"), py::arg("root"))
      .def_property_readonly("refusal", &WriterHandle::Refusal)
      .def_property_readonly("chain", &WriterHandle::Chain)
      .def_property_readonly("externals", &WriterHandle::Externals)
      .def_property_readonly("words", &WriterHandle::Words)
      .def_property_readonly("lanes", &WriterHandle::Lanes)
      .def_property_readonly("areas", &WriterHandle::Areas)
      .def_property_readonly("checks", &WriterHandle::Checks)
      .def_property_readonly("objects", &WriterHandle::Objects)
      .def_property_readonly("blocks", &WriterHandle::Blocks)
      .def_property_readonly("root_place", &WriterHandle::RootPlace)
      .def("chain_to", &WriterHandle::ChainTo, py::arg("obj"))
      .def("write", &WriterHandle::Write, py::arg("memory"), py::arg("base"));
  module.def(
      "map_image",
      [](const ArenaHandle& handle, int descriptor, const py::tuple& places,
         const py::buffer& areas, std::size_t blocks) {
        std::array<std::size_t, 6> numbers{};
        if (places.size() != numbers.size()) throw py::value_error("six numbers are needed");
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = places[i].cast<std::size_t>();
        return MapImage(handle, descriptor, numbers, areas, blocks);
      },
      py::arg("arena"), py::arg("descriptor"), py::arg("places"), py::arg("areas"),
      py::arg("blocks"));
  module.def("patch_image", &Patch, py::arg("arena"), py::arg("base"), py::arg("size"),
             py::arg("words"), py::arg("then"), py::arg("now"));
  module.def("checks_fit", &Fit, py::arg("arena"), py::arg("base"), py::arg("size"),
             py::arg("pairs"));
  module.def("compare_hashes", &Compare, py::arg("arena"), py::arg("base"), py::arg("size"),
             py::arg("pairs"));
  module.def("object_in_image", &ObjectAt, py::arg("arena"), py::arg("address"));
  module.def(
      "unmap_image", [](const ArenaHandle& handle) { handle.arena().ReleaseFile(); },
      py::arg("arena"));
  module.def(
      "hold", [](const py::object& object, std::size_t count) { return Hold(object.ptr(), count); },
      py::arg("obj"), py::arg("count"));
  module.def("hold_empty_keys", &HoldEmptyKeys, py::arg("count"));
  module.def("empty_keys_address", &EmptyKeysAddress);
  module.def("layout_text", [] { return py::bytes(DescribeLayout()); });
  module.def("library_of", &LibraryOfType, py::arg("kind"));
}

}  // namespace frozen_arena
