"""`optout`: reference counting off for objects that exist already, in place."""

from __future__ import annotations

import sys
from dataclasses import asdict
from types import ModuleType
from typing import Any

from frozen_arena import _finish
from frozen_arena._support import core, reason_unsupported
from frozen_arena.errors import Unsupported
from frozen_arena.report import TypeCount

__all__ = ["OptOut", "optout"]

_INSTEAD = "build the data in a block instead: with frozen_arena(): ..."


class OptOut:
    """Objects whose references are not counted, and what was done to them.

    Made by `optout`. ``objects == opted_out + left_out``; the counts of ``types`` add up to
    ``opted_out``, those of ``left_out_types`` to ``left_out``. Letting go of it changes nothing:
    the objects stay as they are.
    """

    __slots__ = ("__weakref__", "_finalisable", "_handle", "_ledger")

    def __init__(self) -> None:
        self._handle: Any = None
        self._ledger: dict[str, Any] = {}
        self._finalisable: list[Any] = []

    @property
    def objects(self) -> int:
        """Objects that were looked at: those given, and what they lead to."""
        return int(self._ledger["objects"])

    @property
    def opted_out(self) -> int:
        """Of these, whose references are no longer counted."""
        return int(self._ledger["opted_out"])

    @property
    def left_out(self) -> int:
        """Of these, that were left as they are; ``left_out_types`` says why."""
        return int(self._ledger["left_out"])

    @property
    def types(self) -> tuple[TypeCount, ...]:
        """What was opted out by type, most frequent first."""
        return tuple(TypeCount(*one) for one in self._ledger["types"])

    @property
    def left_out_types(self) -> tuple[TypeCount, ...]:
        """What was left out by type and reason, most frequent first."""
        return tuple(TypeCount(*one) for one in self._ledger["left_out_types"])

    @property
    def warmed_hashes(self) -> int:
        """Cached hashes that were filled in."""
        return int(self._ledger["warmed_hashes"])

    @property
    def warmed_utf8(self) -> int:
        """UTF-8 forms of texts that were made."""
        return int(self._ledger["warmed_utf8"])

    @property
    def untracked(self) -> int:
        """Objects that were taken out of the collector's lists."""
        return int(self._ledger["untracked"])

    @property
    def seconds(self) -> float:
        """What the call took."""
        return float(self._ledger["seconds"])

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {
            **self._ledger,
            "types": [asdict(one) for one in self.types],
            "left_out_types": [asdict(one) for one in self.left_out_types],
        }

    def __str__(self) -> str:
        lines = [
            f"{self.opted_out:,} opted out + {self.left_out:,} left out = {self.objects:,} objects "
            f"in {self.seconds:.3f} s",
            *(f"opted out: {count:,} {name}" for name, _, count in self.types[:20]),
            *(
                f"left out: {count:,} {name} ({why})"
                for name, why, count in self.left_out_types[:20]
            ),
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<OptOut {self.opted_out:,} objects>"


def optout(*objects: object, recursive: bool = True) -> OptOut:
    """Switches reference counting off for objects that exist already, in place.

    The objects, and with `recursive` all that they lead to, become immortal, are warmed and
    untracked, as what a block has built is: processes forked later that read them write to none of
    them. What others use as well is included. Classes, modules and the variables of modules are
    neither changed nor followed. They stay where they are, so what else lies on their OS pages
    still copies those: new objects in the holes between them, and what is left out.

    Args:
        objects: data. What lies in an arena, and what is opted out already, stays as it is.
        recursive: False: only the objects themselves.

    Returns:
        What was done. From now on the objects live until the process ends.

    Raises:
        TypeError: nothing was given, or a class or a module.
        Unsupported: CPython 3.11, which has no immortal objects (PEP 683 came with 3.12), or
            arenas do not work here.
        MemoryError: nothing has changed.
    """
    if not objects:
        raise TypeError("optout() takes the objects to opt out; none was given")
    for one in objects:
        if isinstance(one, (type, ModuleType)):
            kind = "class" if isinstance(one, type) else "module"
            raise TypeError(f"optout() takes data; {one!r} is a {kind}: pass what it holds")
    native = core()
    if native is None:
        raise Unsupported(f"reference counting cannot be switched off: {reason_unsupported()}")
    if sys.version_info < (3, 12):
        raise Unsupported(
            "reference counting cannot be switched off on CPython 3.11, which has no immortal "
            f"objects; {_INSTEAD}"
        )
    result = OptOut()  # from here on nothing may fail that is not undone
    result._handle, result._ledger = native.opt_out(
        objects, bool(recursive), result._finalisable, _finish.pending
    )
    return result
