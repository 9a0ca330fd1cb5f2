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
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import frozen_arena
from frozen_arena.demo.index import Index, build_index
from frozen_arena.demo.plain_scan import PlainScan
from frozen_arena.demo.queries import Answer, Query, answer_query, draw_queries
from frozen_arena.demo.sources import BYTE_BUDGET, Selection, SourceError, select_sources
from frozen_arena.trees import WAYS
from frozen_arena.trees.way import (
    Progress,
    Samples,
    before_forking,
    begin,
    build,
    gives_back,
    measure_tree,
    progress_lines,
    why_unsupported,
)
from frozen_arena.trees.workers import Responses, WorkerError, Workers, decode

_SAMPLE_FILES: Final = 20  # scanned again for every answer: 0.3 ms on a slow core
_WRONG_SHOWN: Final = 5
_SHARING: Final = "sharing"  # the requests that are not a Query
_REST: Final = "rest"
_MOST_COPIED: Final = 4 << 20  # bytes that a worker copies before it gives back


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
    """For each worker what would be free without it, when all queries are answered."""
    worker_private_most: int = 0
    """The most of that for any worker, looked at several times a second while they answer."""
    gives_back: bool = False
    """Whether workers call `frozen_arena.reshare` between queries."""
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

    def __init__(self, index: Index, collect_after: int, gives_back: bool) -> None:
        self._index = index
        self._left = collect_after
        self._gives_back = gives_back

    def give_back(self) -> None:
        """Between requests, and in the middle of those that read much."""
        if self._gives_back:
            frozen_arena.reshare(min_copied=_MOST_COPIED)

    def __call__(self, request: object) -> object:
        if request == _SHARING:
            return frozen_arena.sharing().private_os_pages
        if request == _REST:
            return frozen_arena.reshare(min_copied=0) if self._gives_back else 0
        assert isinstance(request, Query)
        self._left -= 1
        if self._left == 0:
            gc.collect()  # sooner or later every worker that lives long does this
        return answer_query(self._index, request, self.give_back)


def run_way(options: Options, progress: Progress) -> WayResult:
    """Builds the index, forks workers, drives queries over them, measures and checks.

    Raises:
        SourceError: There is nothing to index.
        WorkerError: A worker broke.
        EmptyIndexError: None of the files is valid Python.
    """
    result = WayResult(options.way)
    result.unsupported = why_unsupported(options.way)
    if result.unsupported is not None:
        return result
    begin(options.way)
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
    built = build(
        way,
        "index",
        lambda: build_index(selection.files, lambda done: progress("build", done, total)),
    )
    result.build_seconds = built.build_seconds
    result.seal_seconds = built.seal_seconds
    result.arena_bytes = built.arena_bytes
    return built.data


def _serve(
    options: Options,
    index: Index,
    queries: Sequence[Query],
    result: WayResult,
    progress: Progress,
) -> Responses:
    """Forks, drives and measures; the answers are looked at later, outside of the measured time."""
    result.gives_back = gives_back(options.way)
    collect_after = max(1, len(queries) // options.workers // 2)
    handler = _Handler(index, collect_after, result.gives_back)
    prepare = before_forking(options.way)
    began = time.perf_counter()
    with Workers(options.workers, handler, prepare, handler.give_back) as workers:
        samples = Samples(workers)

        def on_answers(done: int) -> None:
            progress("queries", done, len(queries))
            samples.take_if_due()

        responses = workers.drive(queries, on_answers)
        workers.ask_each(_REST)
        memory = measure_tree(options.way, workers, result.arena_bytes)
        if options.way == "frozen":
            result.arena_os_pages_copied = sum(workers.ask_each(_SHARING))
        result.fork_seconds = workers.fork_seconds
    result.tree_pss = memory.tree_pss
    result.parent_pss = memory.parent_pss
    result.arena_unmapped = memory.arena_unmapped
    result.worker_private = memory.worker_private
    result.worker_private_most = max(samples.most, *memory.worker_private)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one way and prints its result; returns the exit status."""
    options, show_progress = _parse(sys.argv[1:] if arguments is None else arguments)
    progress = progress_lines() if show_progress else lambda step, done, total: None
    try:
        result = run_way(options, progress)
    except (SourceError, EmptyIndexError, WorkerError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
