// TypeInfo: what the freeze needs to know of a type, worked out once, and the map from types to it.
//
// Every per-object step starts by looking the type up, so the map is one probe in a table that fits
// the first-level cache, and the answers are plain fields.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_TYPE_INFO_H_
#define FROZEN_ARENA_PYTHON_FREEZE_TYPE_INFO_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "python/layout/types.h"

namespace frozen_arena {

// Why an object stays mortal; kNone: it is frozen.
enum class Reason : std::uint8_t {
  kNone,
  kKeepMortal,
  kGenerator,
  kFrame,
  kFile,
  kSocket,
  kLock,
  kThread,
  kFinalizer,
  kExtensionType,
  kWeakrefCallback,
  kWeakrefTarget,
  kExportsMemory,
  kUnderConstruction,
  kSlotName,
  // Only where objects are followed instead of found in an arena (python/optout).
  kOptedOut,
  kImmortal,
  kInArena,
  kClass,
  kModule,
  kNamespace,
};
inline constexpr std::size_t kReasonCount = 21;
const char* Describe(Reason reason) noexcept;

// What has to be asked of each object beyond its type.
enum class PerObject : std::uint8_t {
  kNothing,
  kWeakref,
  kWeakrefTarget,
  kMemoryView,
  kManagedBuffer
};

// How the references of an object are found (references.h).
enum class References : std::uint8_t {
  kNone,   // holds none, or none that matter
  kTuple,  // exact types with a walk of their own
  kList,
  kDict,
  kSet,
  kDateTime,
  kTime,
  kGeneral,  // the type's tp_traverse, and the words of the object
};

// Objects with references that neither tp_traverse nor their own words show.
enum class Special : std::uint8_t { kNone, kDict, kCode, kType, kNdarray };

// What reading would fill in (warm.h).
enum class Warm : std::uint8_t {
  kNothing,
  kStr,
  kHash,
  kDecimal,
  kDateTime,
  kTime,
  kMemoryView,
  kTuple,
  kWeakref,
  kList,
};

// Whether hash() of an instance runs no Python code.
enum class HashSafety : std::uint8_t { kUnsafe, kSafe, kDateTime, kTime, kTuple };

struct TypeInfo {
  PyTypeObject* type = nullptr;
  PyTypeObject* c_base = nullptr;  // whose C code made the memory of an instance
  std::uint8_t prefix = 0;         // bytes before an instance
  bool has_gc = false;
  bool is_python_class = false;
  bool may_be_half_built =
      false;             // str, bytes, tuple, frozenset: C code fills them in after they exist
  bool untrack = false;  // frozen ones leave the collector; else they are parked
  bool has_finalizer = false;
  bool has_instance_dict = false;
  Reason reason = Reason::kNone;
  PerObject per_object = PerObject::kNothing;
  References references = References::kNone;
  Special special = Special::kNone;
  Warm warm = Warm::kNothing;
  HashSafety hash_safety = HashSafety::kUnsafe;
  std::int32_t hash_offset = 0;  // of the cached hash, for warm != kNothing
  hashfunc hash = nullptr;       // that fills it in

  // Counted on the way.
  std::size_t objects = 0;
  std::array<std::size_t, kReasonCount> mortal{};

  void CountMortal(Reason why) noexcept { ++mortal[static_cast<std::size_t>(why)]; }
};

// An open-addressing table from type to TypeInfo. The infos keep their places.
class TypeMap {
 public:
  TypeMap() : slots_(kInitialSlots) {}

  TypeInfo* Find(const void* type) const noexcept {
    for (std::size_t at = Hash(type);; ++at) {
      const Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.type == type) return slot.info;
      if (slot.type == nullptr) return nullptr;
    }
  }

  // Precondition: not there yet. May throw std::bad_alloc.
  TypeInfo* Add(PyTypeObject* type);

  std::deque<TypeInfo>& infos() noexcept { return infos_; }

 private:
  static constexpr std::size_t kInitialSlots = 512;  // a power of two, never more than half full
  struct Slot {
    const void* type = nullptr;
    TypeInfo* info = nullptr;
  };
  // Types are 16-byte aligned; the constant is 2^64 divided by the golden ratio.
  static std::size_t Hash(const void* type) noexcept {
    return (reinterpret_cast<std::uintptr_t>(type) >> 4) * 0x9E3779B97F4A7C15u >> 40;
  }
  void Put(const void* type, TypeInfo* info) noexcept;

  std::vector<Slot> slots_;
  std::deque<TypeInfo> infos_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_TYPE_INFO_H_
