"""`Arena`: what a block gives its user, and the list of all arenas of the process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from frozen_arena._support import core
from frozen_arena.errors import Unsupported
from frozen_arena.report import FreezeReport, LaneSharing, Sharing

__all__ = ["Arena", "arenas", "sharing"]

_LANES = ("objects", "payload")


class Arena:
    """A place for data that is built once and then shared by every process forked later.

    Made by `frozen_arena.frozen_arena`; not to be made by hand.
    """

    __slots__ = ("__weakref__", "_handle", "_name", "_report")

    def __init__(self, name: str | None, handle: Any) -> None:
        self._name = name
        self._handle = handle
        self._report: FreezeReport | None = None

    @property
    def name(self) -> str | None:
        """The name that the block was given, or None."""
        return self._name

    @property
    def state(self) -> str:
        """``"building"``, ``"sealed"``, ``"abandoned"`` or ``"released"``.

        Abandoned: an exception left the block, it was left in a way that is an `ArenaStateError`,
        this process was forked while it was open, or arenas do not work here. Nothing is frozen
        then; objects live and die as usual. Released: every object in it has died, and its memory
        is back with the system.
        """
        return "abandoned" if self._handle is None else str(self._handle.state)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arena takes; until the seal, bytes that are mapped."""
        if self._report is not None and self.state == "sealed":
            return self._report.resident_bytes
        return 0 if self._handle is None else int(self._handle.mapped_bytes)

    @property
    def report(self) -> FreezeReport | None:
        """What the seal did; None before it, and for an arena that was abandoned."""
        return self._report

    def __contains__(self, obj: object) -> bool:
        """Whether the object's own block lies in this arena."""
        return self._handle is not None and bool(self._handle.contains(obj))

    def sharing(self) -> Sharing:
        """What the calling process still shares of this arena; nothing unless it is sealed.

        Raises:
            Unsupported: ``/proc/self/pagemap`` cannot be read.
        """
        return _sharing_of([self])

    def __repr__(self) -> str:
        return f"<Arena {self._name!r} {self.state}, {self.nbytes:,} bytes>"


_arenas: list[Arena] = []
_prune_at = 64


def remember(arena: Arena) -> None:
    """Enters a new arena in the list of the process; now and then drops empty ones."""
    global _prune_at
    if len(_arenas) >= _prune_at:
        for dead in [one for one in _arenas if one.state != "building" and one.nbytes == 0]:
            _arenas.remove(dead)  # one by one: another thread may enter its own meanwhile
        _prune_at = 2 * len(_arenas) + 64
    _arenas.append(arena)


def arenas() -> list[Arena]:
    """All arenas of this process that hold memory or are being built, oldest first."""
    return [arena for arena in _arenas if arena.state == "building" or arena.nbytes > 0]


def sharing() -> Sharing:
    """What the calling process still shares, over all sealed arenas.

    Raises:
        Unsupported: ``/proc/self/pagemap`` cannot be read.
    """
    return _sharing_of(_arenas)


def _sharing_of(chosen: Iterable[Arena]) -> Sharing:
    native = core()
    os_page_bytes = 4096 if native is None else int(native.probe_os_page_bytes())
    totals = [[0, 0, 0] for _ in _LANES]
    for arena in chosen:
        if arena.state != "sealed":
            continue
        counts = arena._handle.count_os_pages()
        if counts is None:
            raise Unsupported("/proc/self/pagemap cannot be read; mount /proc to count OS pages")
        for total, lane in zip(totals, counts, strict=True):
            for index, value in enumerate(lane):
                total[index] += value
    return Sharing(
        {
            name: LaneSharing(mapped, mapped - private, private, resident, os_page_bytes)
            for name, (mapped, resident, private) in zip(_LANES, totals, strict=True)
        }
    )
