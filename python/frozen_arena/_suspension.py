"""Notices that the function in which a block stands was suspended while the block was open.

A generator or coroutine that yields inside a block would leave its caller's allocations in the
arena, and the arena would be sealed in the middle of somebody else's work. From CPython 3.12 on,
``sys.monitoring`` (PEP 669) tells of each yield of just that code object. On 3.11 the compiled
module sees each resumption, through the frame evaluation function of PEP 523.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

from frozen_arena._support import core

__all__ = ["SuspensionWatch"]

_SUSPENDABLE = (
    0x20 | 0x80 | 0x200
)  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR (Include/cpython/code.h)


class SuspensionWatch:
    """Watches one frame from now on until `ended` is called. Ordinary functions cost nothing."""

    __slots__ = ("_frame", "_token", "_yielded")

    def __init__(self, frame: FrameType) -> None:
        self._yielded = False
        self._token = 0
        suspendable = bool(frame.f_code.co_flags & _SUSPENDABLE)
        self._frame: FrameType | None = frame if suspendable else None
        if suspendable:
            _watch(self, frame)

    def ended(self, frame: FrameType) -> bool:
        """Ends the watch; True when the frame was suspended meanwhile or another one ends it."""
        if self._frame is None:
            return False
        _unwatch(self, self._frame)
        suspended = self._yielded or frame is not self._frame
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
        for tool in range(
            5, -1, -1
        ):  # the low numbers have been given names for debuggers and profilers
            try:
                _monitoring.use_tool_id(tool, "frozen_arena")
            except ValueError:
                continue
            _monitoring.register_callback(tool, _monitoring.events.PY_YIELD, _on_yield)
            return tool
        return None

    def _watch(watch: SuspensionWatch, frame: FrameType) -> None:
        global _tool
        if not _watches:
            _tool = _free_tool()
        _watches.append(watch)
        if _tool is not None:
            _monitoring.set_local_events(_tool, frame.f_code, _monitoring.events.PY_YIELD)

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

    def _watch(watch: SuspensionWatch, frame: FrameType) -> None:
        native = core()
        assert native is not None
        watch._token = native.watch_resumes(frame)

    def _unwatch(watch: SuspensionWatch, frame: FrameType) -> None:
        native = core()
        assert native is not None
        watch._yielded = native.take_resumes(watch._token)
