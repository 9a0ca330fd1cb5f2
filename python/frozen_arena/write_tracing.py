"""`trace_writes()`: which line of Python writes to sealed memory.

Sealed memory becomes read-only; a write faults, is recorded with the Python stack, and is then
allowed (`arena/write_watch.h`). One write is recorded for each OS page, the first: that is the one
that copies it. Nothing of this is there while no block is open.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Final, Protocol, overload

from frozen_arena._support import core, reason_unsupported
from frozen_arena.errors import ArenaStateError, Unsupported

__all__ = ["Line", "TracedWrites", "Write", "trace_writes_of"]

_LANES: Final = ("objects", "payload")
_MOST: Final = 1_000_000


class _Arena(Protocol):
    """What tracing needs of an arena."""

    @property
    def state(self) -> str: ...
    @property
    def _handle(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a Python stack.

    Attributes:
        file: as the code object has it; of a very long path the end.
        line: number in the file.
        function: qualified name.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True)
class Write:
    """The first write to an OS page of sealed memory.

    Attributes:
        address: of the first byte that was written to, as far as the OS page holds it.
        lane: ``"objects"`` or ``"payload"``; None when the arena has gone meanwhile.
        type: ``module.qualname`` of the object that was written to, and
        field: its field, as `explain` names it; both ``""`` when not known, and until the block
            ends.
        thread: native id of the thread that wrote (`threading.Thread.native_id`).
        library: file of the program or shared library whose instruction wrote: the interpreter, or
            a C extension; None where the loader does not know.
        stack: the Python stack of that thread, innermost line first, 24 lines at most; empty for
            a thread without one.
    """

    address: int
    lane: str | None
    thread: int
    library: str | None
    stack: tuple[Line, ...]
    type: str = ""
    field: str = ""

    @property
    def line(self) -> Line | None:
        """The Python line that wrote, or that called the C code that did."""
        return self.stack[0] if self.stack else None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        where = self.line or f"a thread without Python frames ({self.thread})"
        by = f", by {self.library.rpartition('/')[2]}" if self.library else ""
        what = f"{self.field or 'a place not known'} of {self.type}" if self.type else "memory"
        return f"{where}: wrote to {what} at {self.address:#x} ({self.lane or 'gone'}){by}"


class TracedWrites(Sequence[Write]):
    """What was recorded, oldest first: inside the block as it comes, after it for good.

    Attributes:
        truncated: the record was full, and everything after it went unnoticed.
    """

    def __init__(self, arenas: Sequence[_Arena], limit: int) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise TypeError(f"limit takes an int, not {type(limit).__name__}")
        if not 1 <= limit <= _MOST:
            raise ValueError(f"limit is from 1 to {_MOST:,}; {limit} is not")
        self._arenas = arenas
        self._limit = limit
        self._writes: list[Write] = []
        self._process = 0  # that traces
        self.truncated = False

    def __enter__(self) -> TracedWrites:
        native = core()
        if native is None:
            raise Unsupported(reason_unsupported())
        if self._process != 0:
            raise ArenaStateError("trace_writes() serves one block; call it again for the next")
        sealed = [arena for arena in self._arenas if arena.state == "sealed"]
        _refuse_deaf_threads()
        try:
            native.trace_writes_begin([arena._handle for arena in sealed], self._limit)
        except ArenaStateError as error:
            raise ArenaStateError("writes are being traced already; one block at a time") from error
        self._process = os.getpid()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends tracing before the block does; nothing after it, and in a child of the block."""
        native = core()
        if native is not None and self._process == os.getpid():
            native.trace_writes_end()  # before anything else that might write
            self._fetch()
            self._name()
        self._process = -1

    def _fetch(self) -> list[Write]:
        native = core()
        if native is None or self._process != os.getpid():  # over, or a child of the block
            return self._writes
        for address, lane, thread, library, stack in native.traced_writes(len(self._writes)):
            lines = tuple(Line(*line) for line in stack)
            name = _LANES[lane] if lane >= 0 else None
            self._writes.append(Write(address, name, thread, library or None, lines))
        self.truncated = bool(native.traced_count()[1])
        return self._writes

    def _name(self) -> None:
        """Objects and fields, after the block: whoever looks for them reads the whole arena."""
        from frozen_arena.explaining.explanation import name_words

        known = [write for write in self._writes if write.lane is not None]
        if not known:
            return
        try:
            places = name_words([write.address for write in known])
        except Unsupported:
            return  # they stay without a name
        named = {
            id(write): replace(write, type=place.type, field=place.field)
            for write, place in zip(known, places, strict=True)
        }
        self._writes = [named.get(id(write), write) for write in self._writes]

    def __len__(self) -> int:
        native = core()
        if native is None or self._process != os.getpid():
            return len(self._writes)
        return int(native.traced_count()[0])

    @overload
    def __getitem__(self, index: int) -> Write: ...
    @overload
    def __getitem__(self, index: slice) -> list[Write]: ...
    def __getitem__(self, index: int | slice) -> Write | list[Write]:
        return self._fetch()[index]

    def __iter__(self) -> Iterator[Write]:
        return iter(list(self._fetch()))

    def __str__(self) -> str:
        lines = [str(write) for write in self]
        if self.truncated:
            lines.append(f"(the record is full: limit={self._limit})")
        return "\n".join(lines) or "nothing was written to sealed memory"

    def __repr__(self) -> str:
        return f"<TracedWrites: {len(self)} OS pages>\n{self}" if len(self) else "<TracedWrites: 0>"


def trace_writes_of(arenas: Sequence[_Arena], limit: int) -> TracedWrites:
    """A block in which the first write to each OS page of `arenas` is recorded; see `Arena`."""
    return TracedWrites(arenas, limit)


def _refuse_deaf_threads() -> None:
    """A thread that blocks SIGSEGV is ended by the kernel when it writes to protected memory."""
    from pathlib import Path

    bit = 1 << (signal.SIGSEGV - 1)
    for task in Path("/proc/self/task").iterdir():
        try:
            status = (task / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if int(fields.get("SigBlk", "0"), 16) & bit:
            raise Unsupported(
                f"thread {task.name} ({fields.get('Name', '?')}) blocks SIGSEGV and would be ended "
                "by the kernel if it wrote: let it leave SIGSEGV alone "
                "(signal.pthread_sigmask without it)"
            )
