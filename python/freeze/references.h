// References: every object that an object refers to, more than its tp_traverse tells.
//
// tp_traverse leaves out what cannot be part of a cycle: str keys of a dict, names of types and
// descriptors, what code objects, date and time objects and object arrays hold. It is enough here
// to learn of too many: a word of a live object that equals the address of another one counts as a
// reference.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_REFERENCES_H_
#define FROZEN_ARENA_PYTHON_FREEZE_REFERENCES_H_

#include "python/freeze/readable_memory.h"
#include "python/freeze/type_info.h"
#include "python/layout/words.h"

namespace frozen_arena {

// Receives what an object refers to. What it is given may be null or, from words that only look
// like references, no object at all: compare it, do not follow it, unless `is_object` says that it
// is one.
class ReferenceSink {
 public:
  virtual ~ReferenceSink() = default;
  virtual void Take(PyObject* referent, bool is_object) = 0;
  // Whether every object that is visited was handed out as complete, tracked by the collector or
  // not.
  virtual bool KnowsAll() const { return false; }
};

// The references of types without a walk of their own: what tp_traverse visits, the words of the
// object and those of the table, the elements of object arrays, the cached objects of code, the
// shared attribute names of classes. May throw std::bad_alloc.
void VisitGeneralReferences(PyObject* object, const TypeInfo& info, ReadableMemory* memory,
                            ReferenceSink* sink);

// False: a tuple with an empty place. `take(referent)` is called with what may be null, and, by
// types without a walk of their own, `sink` with the rest. May throw std::bad_alloc.
template <typename Take>
bool VisitReferences(PyObject* object, const TypeInfo& info, ReadableMemory* memory,
                     ReferenceSink* sink, Take&& take) {
  switch (info.references) {
    case References::kNone:
      return true;
    case References::kTuple: {
      bool complete = true;
      PyObject** const items = ItemsOfTuple(object);
      for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) {
        complete &= items[i] != nullptr;
        take(items[i]);
      }
      return complete;
    }
    case References::kList: {  // while it is sorted it is empty, and has no items
      const auto* const list = reinterpret_cast<PyListObject*>(object);
      for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) take(list->ob_item[i]);
      return true;
    }
    case References::kDict:
      ForEachInDict(reinterpret_cast<PyDictObject*>(object), take);
      return true;
    case References::kSet:
      ForEachInSet(reinterpret_cast<PySetObject*>(object), take);
      return true;
    case References::kDateTime:
      take(TimezoneOfDateTime(object));
      return true;
    case References::kTime:
      take(TimezoneOfTime(object));
      return true;
    case References::kGeneral:
      break;
  }
  VisitGeneralReferences(object, info, memory, sink);
  if (!HasFlag(info.type, Py_TPFLAGS_TUPLE_SUBCLASS)) return true;
  PyObject** const items = ItemsOfTuple(object);
  bool complete = true;
  for (Py_ssize_t i = 0; i < Py_SIZE(object); ++i) complete &= items[i] != nullptr;
  return complete;
}

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_REFERENCES_H_
