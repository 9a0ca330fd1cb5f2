"""What a program of one way does: builds in that way, and measures the tree that it has forked."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import frozen_arena
from frozen_arena.process_memory import read_memory
from frozen_arena.trees.workers import Workers

_PROGRESS_SECONDS: Final = 0.1
_SAMPLE_SECONDS: Final = 0.25

Progress = Callable[[str, int, int], None]
"""Called with the step, what is done and what there is to do."""

_Data = TypeVar("_Data")


@dataclass(frozen=True, slots=True)
class Built(Generic[_Data]):
    """What building gave, and what it took. Memory in bytes, times in seconds."""

    data: _Data
    build_seconds: float
    seal_seconds: float
    """Leaving the block; 0 where there is none."""
    arena_bytes: int


@dataclass(frozen=True, slots=True)
class TreeMemory:
    """Memory of a parent and its workers, in bytes."""

    tree_pss: int
    """Proportional set sizes of the parent and all workers, summed: every page counted once.

    With `arena_unmapped`, which no process may be charged for.
    """
    parent_pss: int
    arena_unmapped: int
    """Of the arena what the parent does not map at that time, although it takes memory."""
    worker_private: list[int]
    """For each worker what would be free without it (`ProcessMemory.own`)."""


def why_unsupported(way: str) -> str | None:
    """Why this way does not work here; says on standard error what works less well."""
    if way != "frozen":
        return None
    status = frozen_arena.status()
    if not status.available:
        return status.reason or "not available on this interpreter"
    for check in status.checks:
        if not check.ok:
            print(f"{check.name}: {check.detail}", file=sys.stderr)
    return None


def begin(way: str) -> None:
    """Before anything is built."""
    if way == "gc.freeze":
        gc.disable()  # as its documentation says: early in the parent, gc.enable() in the child


def build(way: str, name: str, builder: Callable[[], _Data]) -> Built[_Data]:
    """Calls `builder` as the way asks for it."""
    began = time.perf_counter()
    if way != "frozen":
        data = builder()
        return Built(data, time.perf_counter() - began, 0.0, 0)
    with frozen_arena.frozen_arena(name) as arena:
        data = builder()
        ended = time.perf_counter()
    seal_seconds = time.perf_counter() - ended
    _say_what_went_wrong(arena)
    return Built(data, ended - began, seal_seconds, arena.nbytes)


def gives_back(way: str) -> bool:
    """Whether reading copies what has to be given back: CPython 3.11 counts every reference."""
    return way == "frozen" and sys.version_info < (3, 12)


def before_forking(way: str) -> Callable[[], object] | None:
    """Does what the way wants before the first fork; returns what each worker begins with."""
    if gives_back(way):
        frozen_arena.reshare()  # fork() would copy the page tables of what has been read
    if way == "stock":
        return None
    gc.freeze()  # with an arena: of what lies outside, modules above all
    return gc.enable if way == "gc.freeze" else None


def measure_tree(way: str, workers: Workers, arena_bytes: int) -> TreeMemory:
    """Measures while all are alive: what is shared depends on who is there to share it."""
    memory = [read_memory(pid) for pid in workers.pids]
    parent = read_memory(os.getpid()).pss
    unmapped = 0
    if way == "frozen":
        mapped = frozen_arena.sharing().resident_os_pages * os.sysconf("SC_PAGE_SIZE")
        unmapped = max(0, arena_bytes - mapped)
    return TreeMemory(
        parent + sum(one.pss for one in memory) + unmapped,
        parent,
        unmapped,
        [one.own for one in memory],
    )


class Samples:
    """Looks at the memory of workers several times a second, at whatever they are doing."""

    def __init__(self, workers: Workers) -> None:
        self.most = 0
        """Bytes: the most of `ProcessMemory.own` that any worker was seen with."""
        self._pids = workers.pids
        self._due = time.monotonic()

    def take_if_due(self) -> None:
        """To be called often; costs some milliseconds for each worker when it is due."""
        if time.monotonic() < self._due:
            return
        self.most = max(self.most, *(read_memory(pid).own for pid in self._pids))
        self._due = time.monotonic() + _SAMPLE_SECONDS


def progress_lines() -> Progress:
    """Writes progress to standard error, not too often."""
    written = 0.0

    def write(step: str, done: int, total: int) -> None:
        nonlocal written
        now = time.monotonic()
        if done == total or now - written >= _PROGRESS_SECONDS:
            written = now
            line = json.dumps({"step": step, "done": done, "total": total})
            print(line, file=sys.stderr, flush=True)

    return write


def _say_what_went_wrong(arena: Any) -> None:
    """On standard error, so that it stands beside the figures that it explains."""
    report = arena.report
    if report is None:
        print(f"the arena is {arena.state}: nothing is frozen", file=sys.stderr)
        return
    for note in report.notes:
        print(note, file=sys.stderr)
    if report.overflow_blocks:
        print(f"{report.overflow_bytes:,} bytes did not fit into the arena", file=sys.stderr)
