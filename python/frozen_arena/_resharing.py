"""Resharing a little at a time: whose turn it is, when the next one is due, and who asks for it.

A turn looks at a slice of one arena's objects lane and takes a few milliseconds. The next is due
when as much time has passed that turns take no more than their share of it.
"""

from __future__ import annotations

import os
import warnings
from _thread import start_new_thread  # and sleep() below: as they were when this was imported, so
from collections.abc import Callable, Sequence
from signal import SIG_SETMASK, SIGBUS, SIGFPE, SIGILL, SIGSEGV, pthread_sigmask, valid_signals
from time import perf_counter, sleep  # that a later gevent makes greenlets of neither or of both
from typing import Any, Protocol

from frozen_arena.errors import FrozenArenaWarning

__all__ = ["Resharer", "Turns"]

_VISITED = 1 << 15  # OS pages a turn, of which only /proc/self/pagemap is read
_COMPARED = 1 << 10  # OS pages a turn
_SHARE = 0.01  # of the time of a process, for turns that nobody asks for
_REST = 0.05  # seconds at least between two of these


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
    def due_in(self) -> float:
        """Seconds until the next turn is due; not above 0 when it is."""
        return self._due - perf_counter()

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


class Resharer:
    """Takes turns without being asked, in forked children.

    A thread that nobody waits for, because nothing else is sure to come by: a worker that answers
    requests may not collect once in its life. It sleeps without the GIL and holds no lock, so that
    a fork of the child finds it harmless. The parent has none, and forks from a process without
    threads.
    """

    def __init__(self, chosen: Callable[[], Sequence[_Sealed]], may: Callable[[], bool]) -> None:
        self._chosen = chosen
        self._may = may
        self._turns = Turns()
        self._running_in = 0  # the process that has a thread
        os.register_at_fork(after_in_child=self._start)

    @property
    def is_running(self) -> bool:
        """Whether this process has a thread that takes turns."""
        return self._running_in == os.getpid()

    def _start(self) -> None:
        if not any(arena.state == "sealed" for arena in self._chosen()):
            return
        # Signals are for the threads of the program, and a thread inherits what is blocked.
        # But for faults of its own: trace_writes() handles those.
        others = valid_signals() - {SIGBUS, SIGFPE, SIGILL, SIGSEGV}
        before = pthread_sigmask(SIG_SETMASK, others)
        try:
            start_new_thread(self._run, ())
            self._running_in = os.getpid()
        except RuntimeError as error:
            warnings.warn(
                f"copies are not given back by themselves: {error}; raise RLIMIT_NPROC, or call "
                "frozen_arena.reshare(budget=0.01) between requests",
                FrozenArenaWarning,
                stacklevel=2,
            )
        finally:
            pthread_sigmask(SIG_SETMASK, before)

    def _run(self) -> None:
        while self._may_go_on():
            sleep(max(_REST, self._turns.due_in))

    def _may_go_on(self) -> bool:
        return not self._may() or self._turns.take(self._chosen(), _SHARE) is not None
