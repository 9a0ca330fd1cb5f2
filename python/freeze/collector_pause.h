// CollectorPause: no automatic collection while it lives. One in the middle of a freeze would walk
// lists that are being taken apart.
#ifndef FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_PAUSE_H_
#define FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_PAUSE_H_

#include <Python.h>

namespace frozen_arena {

// Needs the GIL, at both ends.
class CollectorPause {
 public:
  CollectorPause() : was_enabled_(PyGC_Disable() != 0) {}
  ~CollectorPause() {
    if (was_enabled_) PyGC_Enable();
  }
  CollectorPause(const CollectorPause&) = delete;
  CollectorPause& operator=(const CollectorPause&) = delete;

 private:
  bool was_enabled_;
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_FREEZE_COLLECTOR_PAUSE_H_
