// The Python frames of the calling thread, read as they lie: for handlers of SIGSEGV, which may
// neither allocate nor wait for the GIL. Implemented in internals.cc, which knows frames.
#ifndef FROZEN_ARENA_PYTHON_LAYOUT_FRAMES_H_
#define FROZEN_ARENA_PYTHON_LAYOUT_FRAMES_H_

#include <Python.h>

namespace frozen_arena {

// Called with the code of a frame and the instruction that it is at, in bytes from the first; may
// be negative. False ends the visit.
using FrameVisitor = bool (*)(void* context, PyCodeObject* code, int instruction);

// Visits the Python frames of the calling thread, innermost first; none for a thread that the
// interpreter does not know. Only reads, and needs no GIL. In a signal handler a frame may be half
// made or half gone, so the caller is prepared for a fault.
void VisitFramesOfThisThread(FrameVisitor visitor, void* context) noexcept;

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_LAYOUT_FRAMES_H_
