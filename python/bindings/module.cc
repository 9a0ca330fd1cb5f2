// _core: what frozen_arena's Python code calls. Private; frozen_arena/_core.pyi is its contract.
#include <pybind11/pybind11.h>

#include <string>

#include "allocator/install.h"
#include "allocator/scope.h"
#include "arena/faults.h"
#include "arena/os_memory.h"
#include "python/bindings/arena.h"
#include "python/bindings/gc_pause.h"
#include "python/bindings/image.h"
#include "python/bindings/optout.h"
#include "python/bindings/resume_watch.h"
#include "python/bindings/word_search.h"
#include "python/bindings/write_trace.h"
#include "python/freeze/finish.h"
#include "python/layout/fields.h"
#include "python/pack/graph_copy.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

// The functions that may be called while allocations are routed, or right before. They are plain C
// functions of one argument or none: pybind11's calls make a tuple, and a tuple that is freed on
// the wrong side of the border goes to a free list and takes memory across it.

Arena* ArenaOf(PyObject* handle) {
  return handle == Py_None ? nullptr : &py::cast<ArenaHandle&>(py::handle(handle)).arena();
}

// enter(arena): collects, which empties the free lists, then routes this thread to `arena`.
PyObject* Enter(PyObject* /*module*/, PyObject* handle) {
  Arena* const arena = ArenaOf(handle);
  GcPause::CollectNow();
  if (GcPause::IsOn() && !GcPause::StartWatching()) return nullptr;
  RouteThread(arena);
  Py_RETURN_NONE;
}

// The one free list that no collection empties before 3.14 has a place for one slice: afterwards it
// holds an ordinary one.
void EmptyFreeListOfSlices() {
  PyObject* const listed = PySlice_New(nullptr, nullptr, nullptr);
  PyObject* const fresh = PySlice_New(nullptr, nullptr, nullptr);
  Py_XDECREF(fresh);  // goes to the list, and leaves no place for the other one
  Py_XDECREF(listed);
  if (fresh == nullptr) PyErr_Clear();
}

// leave(arena): from here on nothing of this thread is routed, nor of any other to this arena, and
// the garbage of the block is gone. The first thing that the end of a block does: any object that
// Python code made before would come from a free list, and with it from the arena. Returns the
// seconds that looking for it and collecting took.
PyObject* Leave(PyObject* /*module*/, PyObject* handle) {
  const double begun = os::Seconds();
  RouteThread(nullptr);
  StopRoutingAllThreadsTo(ArenaOf(handle));
  GcPause::StopWatching();
  GcPause::CollectNow();
  EmptyFreeListOfSlices();
  return PyFloat_FromDouble(os::Seconds() - begun);
}

// block_is_open(): whether any thread is inside a block; activation is none.
PyObject* BlockIsOpen(PyObject* /*module*/, PyObject* /*none*/) {
  return PyBool_FromLong(GcPause::IsOn() ? 1 : 0);
}

// route_thread(arena or None)
PyObject* RouteThreadFromPython(PyObject* /*module*/, PyObject* handle) {
  RouteThread(ArenaOf(handle));
  Py_RETURN_NONE;
}

// route_all_threads(arena or None)
PyObject* RouteAllThreadsFromPython(PyObject* /*module*/, PyObject* handle) {
  RouteAllThreads(ArenaOf(handle));
  Py_RETURN_NONE;
}

PyMethodDef plain_functions[] = {
    {"enter", &Enter, METH_O, nullptr},
    {"leave", &Leave, METH_O, nullptr},
    {"block_is_open", &BlockIsOpen, METH_NOARGS, nullptr},
    {"route_thread", &RouteThreadFromPython, METH_O, nullptr},
    {"route_all_threads", &RouteAllThreadsFromPython, METH_O, nullptr},
    {"opt_out", &OptOut, METH_VARARGS, nullptr},
#if FZA_WATCH_RESUMES
    {"watch_resumes", &WatchResumes, METH_O, nullptr},
    {"take_resumes", &TakeResumes, METH_O, nullptr},
#endif
    {nullptr, nullptr, 0, nullptr},
};

py::dict Hooks() {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  const HookState hooks = DescribeHooks();
  return py::dict("installed"_a = hooks.installed, "raw_in_chain"_a = hooks.raw_in_chain,
                  "blocks_in_chain"_a = hooks.blocks_in_chain, "permanent"_a = hooks.permanent,
                  "base"_a = hooks.base);
}

// A memfd can be made and sealed; huge pages can be had by MADV_COLLAPSE; /proc/self/pagemap can be
// read.
py::dict Probe() {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  const int file = os::CreateMemfd("frozen-arena:probe");
  const bool memfd = file >= 0;
  bool collapse = false;
  const std::uintptr_t room = os::Reserve(kGranuleSize, kGranuleSize);
  if (memfd && room != 0 && os::Truncate(file, kGranuleSize)) {
    if (os::MapShared(room, kGranuleSize, file, 0, os::Placement::kOver) ==
        os::MapResult::kMapped) {
      *reinterpret_cast<volatile char*>(room) = 0;  // NOLINT(performance-no-int-to-ptr)
      collapse = os::Collapse(room);
    }
  }
  if (room != 0) os::Unmap(room, kGranuleSize);
  const bool seal = memfd && os::SealFile(file);
  os::Close(file);
  std::uint64_t entry = 0;
  const bool pagemap = os::ReadPagemap(reinterpret_cast<std::uintptr_t>(&entry), &entry, 1);
  return py::dict("memfd"_a = memfd, "why_no_files"_a = os::WhyNoFiles(), "seal"_a = seal,
                  "collapse"_a = collapse, "pagemap"_a = pagemap);
}

py::tuple CopyGraphFromPython(const py::object& root, bool dedupe, const py::dict& reducers,
                              const py::dict& registered) {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  CopyLedger ledger;
  PyObject* const copy = CopyGraph(root.ptr(), {dedupe, reducers.ptr(), registered.ptr()}, &ledger);
  if (copy == nullptr) throw py::error_already_set();
  return py::make_tuple(
      py::reinterpret_steal<py::object>(copy),
      py::dict("objects"_a = ledger.objects, "copied"_a = ledger.copied, "merged"_a = ledger.merged,
               "kept"_a = ledger.kept, "passed"_a = ledger.passed));
}

}  // namespace
}  // namespace frozen_arena

PYBIND11_MODULE(_core_of_the_main_interpreter, module) {
  using namespace frozen_arena;  // NOLINT(google-build-using-namespace): the module is this
                                 // namespace
  module.doc() = "Memory, hooks and freezing behind frozen_arena. Private.";
  BindArena(module);
  BindImage(module);
  BindWordSearch(module);
  BindWriteTrace(module);
  GcPause::Prepare();
  if (PyModule_AddFunctions(module.ptr(), plain_functions) != 0) throw py::error_already_set();
  module.def("hooks", &Hooks);
  module.def("probe", &Probe);
  module.def("probe_os_page_bytes", &os::PageSize);
  module.def("refused_by_tests", &InjectedSoFar);
  module.def("plan_faults", &PlanFaults, py::arg("text"));
  module.def(
      "finish_all", [](const py::list& pending) { FinishAll(pending.ptr()); }, py::arg("pending"));
  module.def("copy_graph", &CopyGraphFromPython, py::arg("root"), py::arg("dedupe"),
             py::arg("reducers"), py::arg("registered"));
  module.def(
      "layout_of",
      [](py::handle type) {
        PyObject* const table = LayoutTable(type.ptr());
        if (table == nullptr) throw py::error_already_set();
        return py::reinterpret_steal<py::list>(table);
      },
      py::arg("type"));
}

// Arenas belong to the main interpreter. Said before pybind11 sets itself up: on 3.11 it would wait
// for the GIL of the main interpreter, which this thread holds.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main())
    return PyInit__core_of_the_main_interpreter();
  PyErr_SetString(PyExc_ImportError, "arenas belong to the main interpreter of the process");
  return nullptr;
}
