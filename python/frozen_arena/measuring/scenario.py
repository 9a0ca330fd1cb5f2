"""One way of using the user's data, in the process that this module is started in.

    python -m frozen_arena.measuring.scenario --way frozen --workers 4 --data shop.data:load

prints one JSON object, a `WayResult`, on standard output. What the user's code prints goes to
standard error. Exit status: 0, 1 when the user's code failed, 2 when a name is wrong.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import frozen_arena
from frozen_arena.measuring import reading
from frozen_arena.measuring.target import TargetError, call, find
from frozen_arena.process_memory import read_memory
from frozen_arena.trees import WAYS
from frozen_arena.trees.way import (
    Progress,
    before_forking,
    begin,
    build,
    measure_tree,
    progress_lines,
    why_unsupported,
)
from frozen_arena.trees.workers import WorkerError, Workers

_PASSES: Final = 2  # the first pays for page faults, the second shows what reading costs from then


@dataclass(slots=True)
class WayResult:
    """What one way cost. Memory in bytes, times in seconds."""

    way: str
    unsupported: str | None = None
    """Why this way does not work on this interpreter; the rest is empty then."""
    data_bytes: int = 0
    """What the process grew by (PSS) when the data was built."""
    objects: int | None = None
    """What the reader came across; None for a reader of the user's."""
    buffers: dict[str, int] = field(default_factory=dict)
    """Of these the bytes in buffers, by type."""
    build_seconds: float = 0.0
    seal_seconds: float = 0.0
    arena_bytes: int = 0
    fork_seconds: list[float] = field(default_factory=list)
    first_pass_seconds: list[float] = field(default_factory=list)
    """For each worker, while all workers read."""
    second_pass_seconds: list[float] = field(default_factory=list)
    tree_pss: int = 0
    """Proportional set sizes of the parent and all workers, summed: every page counted once."""
    parent_pss: int = 0
    arena_unmapped: int = 0
    """Of the arena what the parent does not map at that time; part of `tree_pss`."""
    worker_private: list[int] = field(default_factory=list)
    """For each worker what no other process maps (USS), after reading and a full collection."""
    arena_os_pages_copied: int | None = None
    """OS pages of the arena that workers copied, summed; None where there is no arena."""


class _Handler:
    """What a worker does: reads all of the data, or tells what it has copied."""

    def __init__(self, data: Any, reader: Callable[[Any], Any], name: str | None) -> None:
        self._data, self._reader, self._name = data, reader, name

    def __call__(self, request: str) -> Any:
        if request == "copied":
            return frozen_arena.sharing().private_os_pages
        began = time.perf_counter()
        if self._name is None:
            self._reader(self._data)
        else:
            try:
                call(self._name, self._reader, self._data)
            except TargetError as error:
                return str(error)
        seconds = time.perf_counter() - began
        gc.collect()  # sooner or later every worker that lives long does this
        return seconds


def run_way(way: str, workers: int, data: str, read: str | None, progress: Progress) -> WayResult:
    """Builds, forks, reads and measures.

    Raises:
        TargetError: a name is wrong, or the user's code raised.
        WorkerError: a worker ended early.
    """
    result = WayResult(way, why_unsupported(way))
    if result.unsupported is not None:
        return result
    loader = find(data)
    reader = reading.read if read is None else find(read)
    begin(way)
    before = read_memory(os.getpid()).pss
    built = build(way, data, lambda: call(data, loader))
    result.build_seconds = built.build_seconds
    result.seal_seconds = built.seal_seconds
    result.arena_bytes = built.arena_bytes
    progress("build", 1, 1)
    # Growth without the pristine mapping, which is the same memory once more in the page tables.
    result.data_bytes = max(0, read_memory(os.getpid()).pss - before, built.arena_bytes)
    if read is None and way == "stock":
        _look_into(built.data, result)
    _serve(way, workers, built.data, _Handler(built.data, reader, read), result, progress)
    return result


def _look_into(data: Any, result: WayResult) -> None:
    """What the data is made of, found out by a child: who asks writes, and the parent must not."""
    with Workers(1, lambda _request: asdict(reading.read(data))) as workers:
        found = workers.ask_each("composition")[0]
    result.objects, result.buffers = found["objects"], found["buffers"]


def _serve(
    way: str, count: int, data: Any, handler: _Handler, result: WayResult, progress: Progress
) -> None:
    prepare = before_forking(way)
    with Workers(count, handler, prepare) as workers:
        result.fork_seconds = workers.fork_seconds
        for number in range(_PASSES):
            times = workers.ask_each("read")
            for one in times:
                if isinstance(one, str):
                    raise TargetError(one, False)
            if number == 0:
                result.first_pass_seconds = times
            result.second_pass_seconds = times
            progress("read", number + 1, _PASSES)
        memory = measure_tree(way, workers, result.arena_bytes)
        if way == "frozen":
            result.arena_os_pages_copied = sum(workers.ask_each("copied"))
    result.tree_pss = memory.tree_pss
    result.parent_pss = memory.parent_pss
    result.arena_unmapped = memory.arena_unmapped
    result.worker_private = memory.worker_private


def main() -> int:
    """Runs one way and prints its result; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m frozen_arena.measuring.scenario")
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--read")
    parser.add_argument("--progress", action="store_true")
    given = parser.parse_args()
    progress = progress_lines() if given.progress else lambda step, done, total: None
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the user's code prints is not the result
    status = 0
    try:
        told = asdict(run_way(given.way, given.workers, given.data, given.read, progress))
    except TargetError as error:
        told, status = {"error": str(error)}, 2 if error.usage else 1
    except (WorkerError, OSError) as error:
        told = {"error": f"{type(error).__name__}: {error}".splitlines()[-1]}
        status = 1
    with answer:
        answer.write(json.dumps(told))
    return status


if __name__ == "__main__":
    sys.exit(main())
