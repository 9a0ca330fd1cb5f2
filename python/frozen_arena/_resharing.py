"""Resharing a little at a time: whose turn it is, when the next one is due, and who asks.

A turn looks at a slice of one arena's objects lane and takes a few milliseconds. The next is due
when as much time has passed that turns take no more than their share of it.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol

__all__ = ["Turns", "after_collections"]

_VISITED = 1 << 17  # OS pages a turn, of which only /proc/self/pagemap is read
_COMPARED = 1 << 12  # OS pages a turn
_SHARE = 0.01  # of the time of a process, for turns after collections


class _Sealed(Protocol):
    """What a turn needs of an arena."""

    @property
    def state(self) -> str: ...
    @property
    def _handle(self) -> Any: ...


class Turns:
    """Goes round over arenas, slice by slice. Needs the GIL, as everything that reshares."""

    def __init__(self) -> None:
        self._due = 0.0
        self._arena = 0  # index of the arena whose turn it is
        self._first = 0  # the OS page of its objects lane with which to go on
        self._process = 0  # that is in the middle of a turn

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last turn."""
        return perf_counter() >= self._due

    def take(self, arenas: Sequence[_Sealed], share: float) -> int | None:
        """Takes a turn, if one is due and not under way: a collection may begin in the middle.

        Args:
            arenas: of which the sealed ones take turns.
            share: of the time from now until the next turn is due, what this one may take.

        Returns:
            Bytes given back; None where ``/proc/self/pagemap`` cannot be read.
        """
        start = perf_counter()
        process = os.getpid()  # a child that was forked in the middle of a turn is not in one
        if start < self._due or self._process == process or not arenas:
            return 0
        self._process = process
        try:
            return self._slice(arenas)
        finally:
            self._process = 0
            end = perf_counter()
            self._due = end + (end - start) * (1 / share - 1)

    def _slice(self, arenas: Sequence[_Sealed]) -> int | None:
        if self._arena >= len(arenas):
            self._arena, self._first = 0, 0
        arena = arenas[self._arena]
        given_back, following = 0, 0
        if arena.state == "sealed":
            result = arena._handle.reshare(0, self._first, _VISITED, _COMPARED)
            if result is None:
                return None
            given_back, following = result
        self._first = following
        if following == 0:
            self._arena += 1
        return given_back


def after_collections(chosen: Callable[[], Sequence[_Sealed]], may: Callable[[], bool]) -> None:
    """From now on the collector's end is an occasion for a turn; for the life of the process.

    Args:
        chosen: gives the arenas.
        may: whether now is a good moment.
    """
    turns = Turns()

    def take_turn(phase: str, _info: dict[str, int]) -> None:
        if phase == "stop" and may() and turns.is_due and turns.take(chosen(), _SHARE) is None:
            gc.callbacks.remove(take_turn)

    gc.callbacks.append(take_turn)
