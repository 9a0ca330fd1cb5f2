"""Notices that the function in which a block stands was suspended while the block was open.

A generator or coroutine that yields inside a block would leave its caller's allocations in the
arena, and the arena would be sealed in the middle of somebody else's work. From CPython 3.12 on,
``sys.monitoring`` (PEP 669) tells of each yield of just that code object. On 3.11 the compiled
module sees each resumption, through the frame evaluation function of PEP 523.

The function in which a block stands is the one that enters it, by itself or through an ExitStack. A
helper of one's own that enters it into the stack of a generator hides the generator.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

from frozen_arena._support import core

__all__ = ["SuspensionWatch"]

# CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR (Include/cpython/code.h)
_SUSPENDABLE = 0x20 | 0x80 | 0x200


def _beyond_contextlib(frame: FrameType | None) -> FrameType | None:
    """The first frame from `frame` outwards that is not one of ExitStack and AsyncExitStack."""
    while frame is not None and frame.f_globals.get("__name__") == "contextlib":
        frame = frame.f_back
    return frame


class SuspensionWatch:
    """Watches one frame from now on until `ended` is called. Ordinary functions cost nothing.

    Attributes:
        blind: nothing is noticed, as no tool id of ``sys.monitoring`` was free.
    """

    __slots__ = ("_frame", "_token", "_yielded", "blind")

    def __init__(self, frame: FrameType) -> None:
        self._yielded = False
        self._token = 0
        self.blind = False
        self._frame = _beyond_contextlib(frame)
        if self._frame is not None and self._frame.f_code.co_flags & _SUSPENDABLE:
            self.blind = not _watch(self, self._frame)
        else:
            self._frame = None

    def ended(self, frame: FrameType | None) -> bool:
        """Ends the watch; True when the frame was suspended meanwhile or another one ends it."""
        if self._frame is None:
            return False
        _unwatch(self, self._frame)
        suspended = self._yielded or _beyond_contextlib(frame) is not self._frame
        self._frame = None
        return suspended


if sys.version_info >= (3, 12):
    _watches: list[SuspensionWatch] = []
    _monitoring: Any = sys.monitoring
    _tool: int | None = None

    def _on_yield(code: CodeType, _offset: int, _value: object) -> None:
        frame = sys._getframe(1)
        for watch in _watches:
            if watch._frame is frame:
                watch._yielded = True

    def _free_tool() -> int | None:
        # The low numbers have been given names, for debuggers and profilers.
        for tool in range(5, -1, -1):
            try:
                _monitoring.use_tool_id(tool, "frozen_arena")
            except ValueError:
                continue
            _monitoring.register_callback(tool, _monitoring.events.PY_YIELD, _on_yield)
            return tool
        return None

    def _watch(watch: SuspensionWatch, frame: FrameType) -> bool:
        global _tool
        if _tool is None:
            _tool = _free_tool()
        _watches.append(watch)
        if _tool is not None:
            _monitoring.set_local_events(_tool, frame.f_code, _monitoring.events.PY_YIELD)
        return _tool is not None

    def _unwatch(watch: SuspensionWatch, frame: FrameType) -> None:
        global _tool
        _watches.remove(watch)
        if _tool is None:
            return
        code = frame.f_code
        if not any(other._frame is not None and other._frame.f_code is code for other in _watches):
            _monitoring.set_local_events(_tool, code, 0)
        if not _watches:
            _monitoring.register_callback(_tool, _monitoring.events.PY_YIELD, None)
            _monitoring.free_tool_id(_tool)
            _tool = None

else:

    def _watch(watch: SuspensionWatch, frame: FrameType) -> bool:
        native = core()
        assert native is not None
        watch._token = native.watch_resumes(frame)
        return True

    def _unwatch(watch: SuspensionWatch, frame: FrameType) -> None:
        native = core()
        assert native is not None
        watch._yielded = native.take_resumes(watch._token)
