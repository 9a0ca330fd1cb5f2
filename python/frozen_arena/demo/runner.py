"""The demo as a whole: three ways one after another, each in processes of its own, side by side.

Called by the command line only. What a way does is in `scenario`; here it is started, watched and
compared with the others.
"""

from __future__ import annotations

import contextlib
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from frozen_arena import words
from frozen_arena.demo.scenario import WayResult
from frozen_arena.demo.sources import BYTE_BUDGET, Selection
from frozen_arena.trees import WAYS
from frozen_arena.trees.runner import HEADINGS, progress_bar, run_way, touch_memory

SEED: Final = 1

_INDEX_BYTES_PER_SOURCE_BYTE: Final = 24  # as measured on CPython 3.12
_STEPS: Final = {"build": "builds the index", "queries": "answers", "check": "checks the answers"}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the three ways cost, and what that comes to."""

    python: str
    workers: int
    source: str
    found_files: int
    found_bytes: int
    selected_bytes: int
    ways: dict[str, WayResult]
    notes: dict[str, list[str]]
    """For each way what it said on standard error, if anything."""
    seconds: float
    """What all of it took, warming up and checking answers included."""

    @property
    def unsupported(self) -> str | None:
        """Why frozen arena does not work here; None when it does."""
        return self.ways["frozen"].unsupported

    @property
    def wrong_answers(self) -> int:
        """Answers that a plain scan contradicts, in all ways together."""
        return sum(way.wrong_answers for way in self.ways.values())

    @property
    def answers_agree(self) -> bool:
        """Whether all ways gave the same answers to the same queries."""
        return len({way.answers_digest for way in self._finished()}) == 1

    @property
    def ok(self) -> bool:
        """Whether the demo has shown what it is there for."""
        return self.unsupported is None and self.wrong_answers == 0 and self.answers_agree

    @property
    def saved_bytes(self) -> int | None:
        """What the whole tree needs less with frozen arena than without."""
        if self.unsupported is not None:
            return None
        return self.ways["stock"].tree_pss - self.ways["frozen"].tree_pss

    def summary(self) -> str:
        """One line for somebody who sees this for the first time."""
        if not self.answers_agree:
            return "The three ways did not give the same answers: this is a bug, please report it."
        if self.wrong_answers:
            return f"{self.wrong_answers:,} answers were wrong: this is a bug, please report it."
        workers = words.workers(self.workers)
        stock = words.memory(self.ways["stock"].tree_pss)
        freeze = words.memory(self.ways["gc.freeze"].tree_pss)
        if self.saved_bytes is None:
            return (
                f"Parent and {workers} need {stock} here, {freeze} with gc.freeze(); frozen arena "
                f"does not work on this interpreter: {self.unsupported}."
            )
        frozen = words.memory(self.ways["frozen"].tree_pss)
        if self.saved_bytes <= 0:
            return f"Nothing was saved: parent and {workers} need {frozen} instead of {stock}."
        return (
            f"{workers} kept {words.memory(self.saved_bytes)} less memory in use: with frozen "
            f"arena the whole tree needs {frozen} instead of {stock} ({freeze} with gc.freeze())."
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON. Memory in bytes, times in seconds."""
        return {
            **asdict(self),
            "unsupported": self.unsupported,
            "wrong_answers": self.wrong_answers,
            "answers_agree": self.answers_agree,
            "ok": self.ok,
            "saved_bytes": self.saved_bytes,
            "summary": self.summary(),
        }

    def _finished(self) -> list[WayResult]:
        return [way for way in self.ways.values() if way.unsupported is None]


def run_demo(
    selection: Selection,
    source: Path | None,
    workers: int,
    queries: int,
    show_progress: bool = False,
) -> DemoResult:
    """Runs the three ways one after another.

    Args:
        selection: What `select_sources(source)` gave.
        source: The folder to index; None for the interpreter's own libraries.
        workers: How many to fork.
        queries: How many they answer together.
        show_progress: Whether to draw a progress bar on standard error.

    Raises:
        TreeError: A way did not come to its end.
    """
    began = time.perf_counter()
    ways = {}
    notes = {}
    _warm_up(selection, workers)
    arguments = ["--workers", str(workers), "--queries", str(queries), "--seed", str(SEED)]
    arguments += ["--byte-budget", str(BYTE_BUDGET)]
    if source is not None:
        arguments += ["--source", str(source)]
    with progress_bar(show_progress, _STEPS) as on_progress:
        for way in WAYS:
            module = "frozen_arena.demo.scenario"
            result, notes[way] = run_way(way, module, arguments, on_progress)
            ways[way] = WayResult(**result)
    return DemoResult(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        workers=workers,
        source=str(source) if source else "the standard library and site-packages",
        found_files=selection.found_files,
        found_bytes=selection.found_bytes,
        selected_bytes=selection.nbytes,
        ways=ways,
        notes={way: lines for way, lines in notes.items() if lines},
        seconds=time.perf_counter() - began,
    )


def print_demo(result: DemoResult, console: Console) -> None:
    """Prints what was indexed, one table, and the closing line."""
    stock = result.ways["stock"]
    totals = stock.totals
    size = words.memory(result.selected_bytes)
    indexed = (
        f"Indexed {totals['files']:,} of {result.found_files:,} Python files of {result.source}: "
        f"{totals['lines']:,} lines, {size}, with {totals['tokens']:,} "
        f"tokens, {totals['identifiers']:,} identifiers and {totals['definitions']:,} definitions."
    )
    _say(console, indexed)
    if stock.skipped_files:
        _say(console, f"Left out, as no valid Python here: {stock.skipped_files:,} files.")
    answered = (
        f"In each way {words.workers(result.workers)} answered {stock.queries:,} queries. Every "
        f"answer was checked against a plain scan of a sample: {result.wrong_answers:,} wrong."
    )
    _say(console, answered)
    console.print(_table(result))
    _say(console, f"The demo took {words.seconds(result.seconds)}.")
    for way in result.ways.values():
        for wrong in way.wrong:
            _say(console, f"{way.way}: wrong answer: {wrong}", "red")
    for name, notes in result.notes.items():
        for note in notes:
            _say(console, f"{name}: {note}", "yellow")
    if result.ways["frozen"].gives_back:
        _say(console, _what_3_12_does_better(result))
    if not result.ok:
        style = "bold red"
    else:
        style = "bold green" if (result.saved_bytes or 0) > 0 else "bold yellow"
    _say(console, result.summary(), style)


def _what_3_12_does_better(result: DemoResult) -> str:
    frozen, freeze = result.ways["frozen"], result.ways["gc.freeze"]
    most = frozen.worker_private_most / max(1, freeze.worker_private_most)
    left = max(frozen.worker_private) / max(1, *freeze.worker_private)
    return (
        "CPython 3.11 counts references to frozen objects too: workers copied what they read, and "
        "called frozen_arena.reshare() to give it back. At any moment a worker was seen with "
        f"{most:.2f} x of what it holds with gc.freeze() at most, in the end with {left:.2f} x, at "
        f"{frozen.queries_per_second:,.0f} queries per second instead of "
        f"{freeze.queries_per_second:,.0f}. From CPython 3.12 on frozen objects are immortal: "
        "nothing is copied, nothing has to be given back, and no query pays for it."
    )


def _say(console: Console, line: str, style: str = "") -> None:
    """Prints a line as it is: nothing in it is markup, and only a terminal breaks it."""
    console.print(Text(line, style), soft_wrap=not console.is_terminal)


def _table(result: DemoResult) -> Table:
    table = Table(title=f"Three ways to share one index, {result.python}", title_style="bold")
    table.add_column("")
    for name in result.ways:
        table.add_column(HEADINGS[name], justify="right")
    rows: list[tuple[str, Callable[[WayResult], str]]] = [
        ("memory of parent and workers (PSS)", lambda way: words.memory(way.tree_pss)),
        ("private memory of a worker", lambda way: _mean_memory(way.worker_private)),
        ("the most while it answered", lambda way: words.memory(way.worker_private_most)),
        ("OS pages of the arena copied", _pages_copied),
        ("fork of a worker", lambda way: words.seconds(statistics.fmean(way.fork_seconds))),
        ("first answer after the first fork", lambda way: words.seconds(way.first_answer_seconds)),
        ("queries per second", lambda way: f"{way.queries_per_second:,.0f}"),
        ("building the index", lambda way: words.seconds(way.build_seconds)),
        ("freezing and sealing it", _seal),
    ]
    for label, show in rows:
        cells = [show(way) if way.unsupported is None else "-" for way in result.ways.values()]
        table.add_row(label, *cells)
    return table


def _warm_up(selection: Selection, workers: int) -> None:
    """Reads the files and touches memory once, so that the first way pays for neither."""
    for source in selection.files:
        with contextlib.suppress(OSError):
            source.path.read_bytes()
    touch_memory(selection.nbytes * _INDEX_BYTES_PER_SOURCE_BYTE * (workers + 1))


def _mean_memory(sizes: list[int]) -> str:
    return words.memory(statistics.fmean(sizes))


def _pages_copied(way: WayResult) -> str:
    return "-" if way.arena_os_pages_copied is None else f"{way.arena_os_pages_copied:,}"


def _seal(way: WayResult) -> str:
    return words.seconds(way.seal_seconds) if way.way == "frozen" else "-"
