#include "python/freeze/type_info.h"

namespace frozen_arena {

const char* Describe(Reason reason) noexcept {
  switch (reason) {
    case Reason::kNone:
      return "";
    case Reason::kKeepMortal:
      return "named by keep_mortal";
    case Reason::kGenerator:
      return "a generator or coroutine: its end runs code";
    case Reason::kFrame:
      return "a frame or traceback";
    case Reason::kFile:
      return "a file: closing it has to be seen";
    case Reason::kSocket:
      return "a socket: closing it has to be seen";
    case Reason::kLock:
      return "a lock: using it writes to it";
    case Reason::kThread:
      return "belongs to a thread";
    case Reason::kFinalizer:
      return "has a finalizer (__del__)";
    case Reason::kExtensionType:
      return "a type of a C extension that is not known to be plain data; also_freeze can name it";
    case Reason::kWeakrefCallback:
      return "a weak reference with a callback";
    case Reason::kWeakrefTarget:
      return "a weak reference with a callback waits for its end";
    case Reason::kExportsMemory:
      return "holds the memory of another object open";
    case Reason::kUnderConstruction:
      return "held by no container: C code may still be building it";
    case Reason::kSlotName:
      return "may name a special method: a debug build would take it for interned";
    case Reason::kOptedOut:
      return "opted out already";
    case Reason::kImmortal:
      return "not counted already";
    case Reason::kInArena:
      return "lies in an arena";
    case Reason::kClass:
      return "a class: not followed";
    case Reason::kModule:
      return "a module: not followed";
    case Reason::kNamespace:
      return "the variables of a module: not followed";
  }
  return "";
}

TypeInfo* TypeMap::Add(PyTypeObject* type) {
  if ((infos_.size() + 1) * 2 > slots_.size()) {
    std::vector<Slot> wider(slots_.size() * 2);
    slots_.swap(wider);
    for (const Slot& slot : wider) {
      if (slot.type != nullptr) Put(slot.type, slot.info);
    }
  }
  TypeInfo& info = infos_.emplace_back();
  info.type = type;
  Put(type, &info);
  return &info;
}

void TypeMap::Put(const void* type, TypeInfo* info) noexcept {
  std::size_t at = Hash(type) & (slots_.size() - 1);
  while (slots_[at].type != nullptr) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {type, info};
}

}  // namespace frozen_arena
