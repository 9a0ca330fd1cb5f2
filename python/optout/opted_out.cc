#include "python/optout/opted_out.h"

#include <new>

#include "arena/check.h"
#include "python/freeze/collector_pause.h"
#include "python/freeze/finish.h"
#include "python/freeze/half_built.h"
#include "python/freeze/immortalize.h"
#include "python/freeze/policy.h"
#include "python/freeze/readable_memory.h"
#include "python/freeze/untrack.h"
#include "python/freeze/warm.h"
#include "python/layout/internals.h"
#include "python/optout/trace.h"

namespace frozen_arena {
namespace {

// Bits of an entry, below the address.
constexpr int kAddressShift = 8;
constexpr std::uint64_t kWasTracked = 1;
constexpr int kInternShift = 1;  // two bits

PyObject* ObjectAt(std::uintptr_t address) noexcept {
  return reinterpret_cast<PyObject*>(address);  // NOLINT(performance-no-int-to-ptr)
}

class Entry {
 public:
  explicit Entry(std::uint64_t bits) : bits_(bits) {}
  PyObject* object() const noexcept { return ObjectAt(bits_ >> kAddressShift); }
  bool was_tracked() const noexcept { return (bits_ & kWasTracked) != 0; }
  unsigned interned() const noexcept { return bits_ >> kInternShift & 3; }

 private:
  std::uint64_t bits_;
};

// Into the list of the collector that new objects are in; a parked one too.
void Retrack(PyObject* object) noexcept {
  if (IsTracked(object)) PyObject_GC_UnTrack(object);
  PyObject_GC_Track(object);
}

// What is switched off at present, over all calls. Made when it is first needed, and never given
// back. Guarded by the GIL.
AddressBitmap* switched_off = nullptr;

// May throw std::bad_alloc.
AddressBitmap& SwitchedOff() {
  if (switched_off == nullptr) switched_off = new AddressBitmap(AddressBitmap::OfAllAddresses());
  return *switched_off;
}

// What there is no memory for stays cold: it costs a reader an OS page, not the call.
void WarmUp(Warmer* warmer, PyObject* object, const TypeInfo& info) noexcept {
  if (info.warm == Warm::kNothing) return;
  try {
    warmer->WarmObject(object, info);
  } catch (const std::bad_alloc&) {
    return;
  }
}

void WriteLedger(Policy* policy, OptOutLedger* ledger) noexcept {
  for (const TypeInfo& info : policy->types().infos()) {
    ledger->objects += info.objects;
    for (const std::size_t count : info.mortal) ledger->left_out += count;
  }
  FZA_DCHECK(ledger->objects == ledger->opted_out + ledger->left_out);
  try {
    CountTypes(policy->types().infos(), &ledger->types, &ledger->left_out_types);
  } catch (const std::bad_alloc&) {
    return;  // the sums are there, and it has happened
  }
}

bool ListFinalisable(const Trace& trace, PyObject* finalisable) {
  constexpr bool kHeld = true;  // by something that leads to it
  for (PyObject* const object : trace.finalisable()) {
    if (!AddFinalisable(finalisable, object, kHeld)) return false;
  }
  return true;
}

}  // namespace

bool OptedOut::Prepare(Trace* trace, PyObject* finalisable) {
  entries_.reserve(trace->taken_count());
  counts_.reserve(trace->taken_count());
  AddressBitmap& all = SwitchedOff();
  try {
    trace->taken().ForEach([&](std::uintptr_t address) { all.Set(ObjectAt(address)); });
  } catch (const std::bad_alloc&) {
    trace->taken().ForEach([&](std::uintptr_t address) { all.Clear(ObjectAt(address)); });
    throw;
  }
  if (ListFinalisable(*trace, finalisable)) return true;
  trace->taken().ForEach([&](std::uintptr_t address) { all.Clear(ObjectAt(address)); });
  return false;
}

// Before its count is overwritten.
void OptedOut::KeepAside(PyObject* object, bool tracked) noexcept {
  std::uint64_t entry = reinterpret_cast<std::uintptr_t>(object) << kAddressShift;
  if (tracked) entry |= kWasTracked;
  if (PyUnicode_Check(object)) {
    entry |= std::uint64_t{StrHead(object)->state.interned} << kInternShift;
  }
  entries_.push_back(entry);  // there is room
  counts_.push_back(static_cast<std::uint32_t>(WordAt(object, 0)));
}

void OptedOut::Undo() noexcept {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry entry(entries_[i]);
    SwitchedOff().Clear(entry.object());
    if (PyUnicode_Check(entry.object())) {
      StrHead(entry.object())->state.interned = entry.interned() & 3;
    }
    if constexpr (kHasImmortal) WriteCount(entry.object(), counts_[i]);
    if (entry.was_tracked()) Retrack(entry.object());
  }
}

std::unique_ptr<OptedOut> OptedOut::SwitchOff(PyObject* roots, bool recursive,
                                              PyObject* finalisable, OptOutLedger* ledger) {
  const CollectorPause pause;
  *ledger = {};
  try {
    if (SubtypeDealloc() == nullptr) return nullptr;
    Policy policy(FreezeOptions{});
    ReadableMemory memory;
    Trace trace(&policy, &memory, SwitchedOff());
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(roots); ++i) {
      trace.Follow(PyTuple_GET_ITEM(roots, i), recursive);
    }
    const HalfBuilt none({0, 0}, &policy, &memory);
    FreezeLedger warmed;
    Warmer warmer(nullptr, AddressBitmap::OfAllAddresses(), &policy, &none, &warmed);
    std::unique_ptr<OptedOut> result(new OptedOut());
    if (!result->Prepare(&trace, finalisable)) return nullptr;
    [[maybe_unused]] const bool mark_interned = IsDebugInterpreter();
    trace.taken().ForEach([&](std::uintptr_t address) noexcept {
      PyObject* const object = ObjectAt(address);
      const TypeInfo& info = *policy.types().Find(Py_TYPE(object));
      WarmUp(&warmer, object, info);
      const bool tracked = Untrack(object, info);
      result->KeepAside(object, tracked);
      if constexpr (kHasImmortal) Immortalize(object, mark_interned);
      if (tracked) ++ledger->untracked;
    });
    ledger->opted_out = result->size();
    ledger->warmed_hashes = warmed.warmed_hashes;
    ledger->warmed_utf8 = warmed.warmed_utf8;
    WriteLedger(&policy, ledger);
    return result;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return nullptr;
  }
}

}  // namespace frozen_arena
