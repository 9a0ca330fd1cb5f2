"""Notices that the function in which a block stands was suspended while the block was open.

A generator or coroutine that yields inside a block would leave its caller's allocations in the
arena, and the arena would be sealed in the middle of somebody else's work. From CPython 3.12 on,
``sys.monitoring`` (PEP 669) tells of each yield of just that code object. On 3.11 the caller and
the instruction from which it runs the generator are compared, which misses a loop that resumes it
from one place.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any

__all__ = ["SuspensionWatch"]

_SUSPENDABLE = (
    0x20 | 0x80 | 0x200
)  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR (Include/cpython/code.h)


class SuspensionWatch:
    """Watches one frame from now on until `ended` is called. Ordinary functions cost nothing."""

    __slots__ = ("_caller", "_frame", "_yielded")

    def __init__(self, frame: FrameType) -> None:
        self._yielded = False
        suspendable = bool(frame.f_code.co_flags & _SUSPENDABLE)
        self._frame: FrameType | None = frame if suspendable else None
        self._caller = _caller_of(frame) if suspendable else None
        if suspendable:
            _watch(self, frame.f_code)

    def ended(self, frame: FrameType) -> bool:
        """Ends the watch; True when the frame was suspended meanwhile or another one ends it."""
        if self._frame is None:
            return False
        suspended = self._yielded or frame is not self._frame or _caller_of(frame) != self._caller
        _unwatch(self, self._frame.f_code)
        self._frame = self._caller = None
        return suspended


def _caller_of(frame: FrameType) -> tuple[FrameType | None, int]:
    caller = frame.f_back
    return (caller, -1 if caller is None else caller.f_lasti)


_watches: list[SuspensionWatch] = []

if sys.version_info >= (3, 12):
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

    def _watch(watch: SuspensionWatch, code: CodeType) -> None:
        global _tool
        if not _watches:
            _tool = _free_tool()
        _watches.append(watch)
        if _tool is not None:
            _monitoring.set_local_events(_tool, code, _monitoring.events.PY_YIELD)

    def _unwatch(watch: SuspensionWatch, code: CodeType) -> None:
        global _tool
        _watches.remove(watch)
        if _tool is None:
            return
        if not any(other._frame is not None and other._frame.f_code is code for other in _watches):
            _monitoring.set_local_events(_tool, code, 0)
        if not _watches:
            _monitoring.register_callback(_tool, _monitoring.events.PY_YIELD, None)
            _monitoring.free_tool_id(_tool)
            _tool = None

else:

    def _watch(watch: SuspensionWatch, code: CodeType) -> None:
        """Nothing to set up: the callers are compared at the end."""

    def _unwatch(watch: SuspensionWatch, code: CodeType) -> None:
        """Nothing to take down."""
