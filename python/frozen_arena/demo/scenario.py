"""One way of running the code search, in the process that this module is started in.

    python -m frozen_arena.demo.scenario --way frozen --workers 4

prints one JSON object, a `WayResult`, on standard output. `runner` starts it once for each way, so
that no way finds the memory as another one left it. With `--progress` lines of JSON on standard
error tell how far it has come.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

import frozen_arena
from frozen_arena.demo.index import Index, build_index
from frozen_arena.demo.plain_scan import PlainScan
from frozen_arena.demo.queries import Answer, Query, answer_query, draw_queries
from frozen_arena.demo.sources import BYTE_BUDGET, Selection, SourceError, select_sources
from frozen_arena.demo.workers import Responses, WorkerError, Workers, decode

WAYS: Final = ("stock", "gc.freeze", "frozen")

_SAMPLE_FILES: Final = 20  # scanned again for every answer: 0.3 ms on a slow core
_WRONG_SHOWN: Final = 5
_PROGRESS_SECONDS: Final = 0.1
_SHARING: Final = "sharing"  # the one request that is not a Query

Progress = Callable[[str, int, int], None]
"""Called with the step ("build", "queries" or "check"), what is done and what there is to do."""


class EmptyIndexError(ValueError):
    """There are files, but none of them can be indexed."""


@dataclass(slots=True)
class WayResult:
    """What one way cost. Memory in bytes, times in seconds."""

    way: str
    unsupported: str | None = None
    """Why this way does not work on this interpreter; the rest is empty then."""
    totals: dict[str, int] = field(default_factory=dict)
    """What is in the index; see `Index.totals`."""
    skipped_files: int = 0
    build_seconds: float = 0.0
    seal_seconds: float = 0.0
    """Leaving the block; 0 where there is none."""
    arena_bytes: int = 0
    fork_seconds: list[float] = field(default_factory=list)
    """For each worker, in the parent."""
    first_answer_seconds: float = 0.0
    """From before the first fork."""
    queries: int = 0
    queries_per_second: float = 0.0
    tree_pss: int = 0
    """Proportional set sizes of the parent and all workers, summed: every page counted once.

    With `arena_unmapped`, which no process may be charged for.
    """
    parent_pss: int = 0
    arena_unmapped: int = 0
    """Of the arena what the parent does not map at that time, although it takes memory."""
    worker_private: list[int] = field(default_factory=list)
    """For each worker what no other process maps (USS)."""
    arena_os_pages_copied: int | None = None
    """OS pages of the arena that workers copied, summed; None where there is no arena."""
    answers_digest: str = ""
    """The same for all ways when all of them gave the same answers."""
    wrong_answers: int = 0
    wrong: list[str] = field(default_factory=list)
    """The first wrong answers, a sentence each."""


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is to do."""

    way: str
    workers: int
    queries: int
    seed: int
    source: Path | None
    byte_budget: int


class _Handler:
    """What a worker does with a request, and one full collection halfway through."""

    def __init__(self, index: Index, collect_after: int) -> None:
        self._index = index
        self._left = collect_after

    def __call__(self, request: object) -> object:
        if request == _SHARING:
            return frozen_arena.sharing().private_os_pages
        assert isinstance(request, Query)
        self._left -= 1
        if self._left == 0:
            gc.collect()  # sooner or later every worker that lives long does this
        return answer_query(self._index, request)


def run_way(options: Options, progress: Progress) -> WayResult:
    """Builds the index, forks workers, drives queries over them, measures and checks.

    Raises:
        SourceError: There is nothing to index.
        WorkerError: A worker broke.
        EmptyIndexError: None of the files is valid Python.
    """
    result = WayResult(options.way)
    if options.way == "frozen":
        status = frozen_arena.status()
        if not status.available:
            result.unsupported = status.reason or "not available on this interpreter"
            return result
        for check in status.checks:
            if not check.ok:
                print(f"{check.name}: {check.detail}", file=sys.stderr)
    if options.way == "gc.freeze":
        gc.disable()  # as its documentation says: early in the parent, gc.enable() in the child
    selection = select_sources(options.source, options.byte_budget)
    index = _build(options.way, selection, result, progress)
    # Going over all of it maps the arena, so that the kernel counts its pages for the parent.
    result.totals = index.totals()
    result.skipped_files = len(index.skipped)
    if not index.files:
        raise EmptyIndexError("none of the files is valid Python for this interpreter")
    file_count = len(index.files)
    sample = random.Random(options.seed).sample(range(file_count), min(_SAMPLE_FILES, file_count))
    queries = draw_queries(index, sample, options.queries, options.seed)
    responses = _serve(options, index, queries, result, progress)
    by_name = {source.name: source for source in selection.files}
    scan = PlainScan({number: by_name[index.files[number].name] for number in sample})
    _check(scan, queries, responses, result, progress)
    return result


def _build(way: str, selection: Selection, result: WayResult, progress: Progress) -> Index:
    total = selection.nbytes
    began = ended = time.perf_counter()

    def build() -> Index:
        nonlocal ended
        index = build_index(selection.files, lambda done: progress("build", done, total))
        ended = time.perf_counter()
        return index

    if way == "frozen":
        with frozen_arena.frozen_arena("index") as arena:
            index = build()
        result.seal_seconds = time.perf_counter() - ended
        result.arena_bytes = arena.nbytes
        _say_what_went_wrong(arena)
    else:
        index = build()
    result.build_seconds = ended - began
    return index


def _say_what_went_wrong(arena: frozen_arena.Arena) -> None:
    """On standard error, so that it stands beside the figures that it explains."""
    report = arena.report
    if report is None:
        print(f"the arena is {arena.state}: nothing is frozen", file=sys.stderr)
        return
    for note in report.notes:
        print(note, file=sys.stderr)
    if report.overflow_blocks:
        print(f"{report.overflow_bytes:,} bytes did not fit into the arena", file=sys.stderr)


def _serve(
    options: Options,
    index: Index,
    queries: Sequence[Query],
    result: WayResult,
    progress: Progress,
) -> Responses:
    """Forks, drives and measures; the answers are looked at later, outside of the measured time."""
    handler = _Handler(index, collect_after=max(1, len(queries) // options.workers // 2))
    if options.way == "gc.freeze":
        gc.freeze()
    began = time.perf_counter()
    begin = gc.enable if options.way == "gc.freeze" else None
    with Workers(options.workers, handler, begin) as workers:
        responses = workers.drive(queries, lambda done: progress("queries", done, len(queries)))
        # Measured while all of them are alive: what is shared depends on who is there to share it.
        memory = [_memory(pid) for pid in workers.pids]
        pss, _ = _memory(os.getpid())
        if options.way == "frozen":
            mapped = frozen_arena.sharing().resident_os_pages * os.sysconf("SC_PAGE_SIZE")
            result.arena_unmapped = max(0, result.arena_bytes - mapped)
            result.arena_os_pages_copied = sum(workers.ask_each(_SHARING))
        result.fork_seconds = workers.fork_seconds
    result.parent_pss = pss
    result.tree_pss = pss + sum(one for one, _ in memory) + result.arena_unmapped
    result.worker_private = [private for _, private in memory]
    result.queries = len(queries)
    result.first_answer_seconds = responses.first - began
    result.queries_per_second = len(queries) / (responses.ended - responses.began)
    return responses


def _check(
    scan: PlainScan,
    queries: Sequence[Query],
    responses: Responses,
    result: WayResult,
    progress: Progress,
) -> None:
    digest = hashlib.sha256()
    for number, (query, message) in enumerate(zip(queries, responses.raw, strict=True), start=1):
        answer = decode(message)
        assert isinstance(answer, Answer)
        digest.update(repr(answer).encode("utf-8", "surrogatepass"))
        wrong = scan.wrong(query, answer)
        if wrong is not None:
            result.wrong_answers += 1
            if len(result.wrong) < _WRONG_SHOWN:
                result.wrong.append(wrong)
        progress("check", number, len(queries))
    result.answers_digest = digest.hexdigest()


def _memory(pid: int) -> tuple[int, int]:
    """Proportional and private memory of a process, both in bytes."""
    memory = psutil.Process(pid).memory_full_info()
    return int(memory.pss), int(memory.uss)


def _parse(arguments: Sequence[str]) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m frozen_arena.demo.scenario")
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--queries", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--byte-budget", type=int, default=BYTE_BUDGET)
    parser.add_argument("--progress", action="store_true")
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    show_progress = given.pop("progress")
    return Options(**given), bool(show_progress)


def _progress_lines() -> Progress:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one way and prints its result; returns the exit status."""
    options, show_progress = _parse(sys.argv[1:] if arguments is None else arguments)
    progress = _progress_lines() if show_progress else lambda step, done, total: None
    try:
        result = run_way(options, progress)
    except (SourceError, EmptyIndexError, WorkerError, OSError, psutil.Error) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
