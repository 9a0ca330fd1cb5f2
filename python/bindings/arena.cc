#include "python/bindings/arena.h"

#include <array>
#include <utility>

#include "allocator/install.h"
#include "allocator/scope.h"
#include "arena/os_memory.h"
#include "python/bindings/errors.h"
#include "python/bindings/gc_pause.h"
#include "python/freeze/freeze.h"
#include "python/layout/description.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

py::list AsList(const std::vector<TypeCount>& counts) {
  py::list list;
  for (const TypeCount& count : counts)
    list.append(py::make_tuple(count.type, count.reason, count.count));
  return list;
}

py::dict AsDict(const FreezeLedger& ledger) {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  return py::dict("blocks"_a = ledger.blocks, "objects"_a = ledger.objects,
                  "frozen"_a = ledger.frozen, "mortal"_a = ledger.mortal,
                  "unknown_blocks"_a = ledger.unknown_blocks,
                  "warmed_hashes"_a = ledger.warmed_hashes, "warmed_utf8"_a = ledger.warmed_utf8,
                  "materialised_dicts"_a = ledger.materialised_dicts,
                  "untracked"_a = ledger.untracked, "frozen_types"_a = AsList(ledger.frozen_types),
                  "mortal_types"_a = AsList(ledger.mortal_types));
}

py::dict AsDict(const LaneStats& lane) {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  return py::dict("mapped_bytes"_a = lane.mapped_bytes, "live_bytes"_a = lane.live_bytes,
                  "free_bytes"_a = lane.free_bytes, "punched_bytes"_a = lane.punched_bytes,
                  "huge_bytes"_a = lane.huge_bytes, "unsealed_bytes"_a = lane.unsealed_bytes,
                  "huge_pages_refused"_a = lane.huge_pages_refused);
}

py::tuple AsTuple(const PageCounts& counts) {
  return py::make_tuple(counts.os_pages, counts.resident_os_pages, counts.private_os_pages);
}

py::module_ Tracemalloc() { return py::module_::import("_tracemalloc"); }

constexpr TracemallocControl kTracemalloc = {
    [] { return Tracemalloc().attr("is_tracing")().cast<bool>(); },
    [] { return Tracemalloc().attr("get_traceback_limit")().cast<int>(); },
    [] { Tracemalloc().attr("stop")(); },
    [](int limit) { Tracemalloc().attr("start")(limit); },
};

}  // namespace

ArenaHandle::ArenaHandle(std::size_t limit, bool huge_pages) {
  ArenaOptions options;
  options.limit = Bytes(limit);
  options.huge_pages = huge_pages ? HugePages::kAuto : HugePages::kNever;
  options.on_doubled = &GcPause::LetOneRun;
  arena_ = Arena::Create(options);
  if (arena_ == nullptr) throw std::bad_alloc();
}

ArenaHandle::~ArenaHandle() { arena_->DropHandle(); }

std::string ArenaHandle::State() const { return NameOf(arena_->state()); }

bool ArenaHandle::Contains(py::handle object) const { return FindArena(object.ptr()) == arena_; }

py::tuple ArenaHandle::FreezeAndSeal(py::object keep_mortal, py::object also_freeze,
                                     bool instance_dicts, py::list finalisable) {
  const std::string& layout = DescribeLayout();
  SetDirectoryNote(layout.data(), layout.size());
  FreezeOptions options;
  options.keep_mortal = keep_mortal.is_none() ? nullptr : keep_mortal.ptr();
  options.also_freeze = also_freeze.is_none() ? nullptr : also_freeze.ptr();
  options.instance_dicts = instance_dicts;
  FreezeLedger ledger;
  const double begun = os::Seconds();
  if (!FreezeObjects(*arena_, options, finalisable.ptr(), &ledger)) throw py::error_already_set();
  const double frozen = os::Seconds();
  const Status status = arena_->Seal();
  const double sealed = os::Seconds();
  if (status == Status::kWrongState) ThrowStatus(status);
  return py::make_tuple(AsDict(ledger), status == Status::kOk ? "" : Describe(status),
                        frozen - begun, sealed - frozen);
}

bool ArenaHandle::BeginBlock(bool pause_collector) {
  bool restarted = false;
  EnsureInstalled(kTracemalloc, &restarted);
  ::frozen_arena::BeginBlock();
  if (pause_collector) GcPause::Begin();
  pausing_ = pause_collector;
  open_ = true;
  return restarted;
}

bool ArenaHandle::EndBlock() {
  StopRoutingAllThreadsTo(arena_);
  if (RoutedArena() == arena_) RouteThread(nullptr);
  if (arena_->state() == ArenaState::kBuilding) static_cast<void>(arena_->Abandon());
  if (!std::exchange(open_, false)) return true;
  if (pausing_) GcPause::StopWatching();
  const bool whole = ::frozen_arena::EndBlock();
  if (pausing_) GcPause::End();
  return whole;
}

py::object ArenaHandle::CountPages() const {
  std::array<PageCounts, kLaneCount> lanes{};
  const Status status = arena_->CountPages(&lanes);
  if (status == Status::kUnsupported) return py::none();
  if (status == Status::kNoMemory) throw std::bad_alloc();
  if (status != Status::kOk) ThrowStatus(status);
  return py::make_tuple(AsTuple(lanes[0]), AsTuple(lanes[1]));
}

py::object ArenaHandle::Reshare(int lane, std::size_t first, std::size_t visit, std::size_t compare,
                                bool map_anew) {
  Reshared result;
  const ReshareSlice slice{{first, visit}, compare, map_anew};
  const Status status = arena_->Reshare(static_cast<LaneKind>(lane), slice, &result);
  if (status == Status::kUnsupported) return py::none();
  if (status == Status::kNoMemory) throw std::bad_alloc();
  if (status != Status::kOk) ThrowStatus(status);
  return py::make_tuple(result.dropped_os_pages * os::PageSize(), result.next);
}

std::size_t ArenaHandle::LiveBytes() {
  std::size_t live = 0;
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
    arena_->VisitBlocks(
        static_cast<LaneKind>(lane),
        [](void* total, void* /*block*/, std::size_t size) {
          *static_cast<std::size_t*>(total) += size;
          return true;
        },
        &live);
  }
  return live;
}

py::dict ArenaHandle::Stats() const {
  using namespace pybind11::literals;  // NOLINT(google-build-using-namespace): for ""_a alone
  const ArenaStats stats = arena_->stats();
  return py::dict("objects"_a = AsDict(stats.lanes[0]), "payload"_a = AsDict(stats.lanes[1]),
                  "mapped_bytes"_a = stats.mapped_bytes,
                  "overflow_blocks"_a = stats.overflow_blocks,
                  "overflow_bytes"_a = stats.overflow_bytes);
}

py::object ArenaHandle::Audit() const {
  const char* const broken = arena_->Audit();
  return broken == nullptr ? py::object(py::none()) : py::object(py::str(broken));
}

namespace {

// As pybind11's own, which goes on with nothing when there is no memory for the object.
PyObject* NewOrNoMemory(PyTypeObject* type, PyObject* /*args*/, PyObject* /*keywords*/) {
  PyObject* const self = type->tp_alloc(type, 0);
  if (self != nullptr) reinterpret_cast<py::detail::instance*>(self)->allocate_layout();
  return self;
}

}  // namespace

void BindArena(py::module_& module) {
  py::class_<ArenaHandle>(module, "Arena",
                          "One arena of memory; see frozen_arena.Arena for what users see.",
                          py::custom_type_setup([](PyHeapTypeObject* heap_type) {
                            heap_type->ht_type.tp_new = &NewOrNoMemory;
                          }))
      .def(py::init<std::size_t, bool>(), py::arg("limit"), py::arg("huge_pages"))
      .def_property_readonly("state", &ArenaHandle::State)
      .def_property_readonly(
          "mapped_bytes",
          [](const ArenaHandle& handle) { return handle.arena().stats().mapped_bytes; })
      .def("contains", &ArenaHandle::Contains, py::arg("object"))
      .def("freeze_and_seal", &ArenaHandle::FreezeAndSeal, py::arg("keep_mortal"),
           py::arg("also_freeze"), py::arg("instance_dicts"), py::arg("finalisable"))
      .def("begin_block", &ArenaHandle::BeginBlock, py::arg("pause_collector") = true)
      .def("end_block", &ArenaHandle::EndBlock)
      .def("count_os_pages", &ArenaHandle::CountPages)
      .def("reshare", &ArenaHandle::Reshare, py::arg("lane"), py::arg("first") = 0,
           py::arg("visit") = ~std::size_t{0}, py::arg("compare") = ~std::size_t{0},
           py::arg("map_anew") = false)
      .def("live_bytes", &ArenaHandle::LiveBytes)
      .def("stats", &ArenaHandle::Stats)
      .def("audit", &ArenaHandle::Audit)
      .def("directory_entry", &ArenaHandle::DirectoryEntryAddress);
}

}  // namespace frozen_arena
