"""Three ways one after another, side by side: the table, and what to make of it."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from frozen_arena import words
from frozen_arena.measuring.advice import Advice, advise
from frozen_arena.measuring.scenario import WayResult
from frozen_arena.trees import WAYS
from frozen_arena.trees.runner import HEADINGS, TreeError, progress_bar, run_way

__all__ = ["MeasureError", "MeasureResult", "measure", "print_result"]

_STEPS: Final = {"build": "builds the data", "read": "reads it"}
_WAY_SECONDS: Final = 3600.0  # the user's data may take its time


class MeasureError(RuntimeError):
    """A way did not come to its end; `usage` says whether a name was wrong."""

    def __init__(self, message: str, usage: bool) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """What the three ways cost, and what that comes to."""

    python: str
    workers: int
    data: str
    read: str | None
    ways: dict[str, WayResult]
    notes: dict[str, list[str]]

    @property
    def unsupported(self) -> str | None:
        """Why frozen arena does not work here; None when it does."""
        return self.ways["frozen"].unsupported

    @property
    def advice(self) -> Advice:
        """Whether to use it, and why."""
        return advise(self.ways, self.workers)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON. Memory in bytes, times in seconds."""
        return {**asdict(self), "unsupported": self.unsupported, "advice": asdict(self.advice)}


def measure(data: str, read: str | None, workers: int, show_progress: bool) -> MeasureResult:
    """Runs the three ways one after another, each in a fresh process tree.

    Args:
        data: ``MODULE:CALLABLE`` that returns the data.
        read: ``MODULE:CALLABLE`` that a worker calls with the data; None: `reading.read`.
        workers: how many to fork.
        show_progress: whether to draw a progress bar on standard error.

    Raises:
        MeasureError: a name is wrong, or the user's code or a worker failed.
    """
    arguments = ["--workers", str(workers), "--data", data]
    if read is not None:
        arguments += ["--read", read]
    ways, notes = {}, {}
    with progress_bar(show_progress, _STEPS) as on_progress:
        for way in WAYS:
            try:
                result, said = run_way(
                    way,
                    "frozen_arena.measuring.scenario",
                    arguments,
                    on_progress,
                    seconds=_WAY_SECONDS,
                )
            except TreeError as error:
                raise MeasureError(_why(error), error.status == 2) from error
            ways[way] = WayResult(**result)
            notes[way] = said
    return MeasureResult(
        f"{platform.python_implementation()} {platform.python_version()}",
        workers,
        data,
        read,
        ways,
        {way: lines for way, lines in notes.items() if lines},
    )


def print_result(result: MeasureResult, console: Console) -> None:
    """Prints one table, what the programs said, and the advice."""
    console.print(_table(result))
    for name, notes in result.notes.items():
        for note in notes:
            _say(console, f"{name}: {note}", "yellow")
    advice = result.advice
    _say(console, advice.text, "bold green" if advice.use else "bold yellow")


def _why(error: TreeError) -> str:
    if error.status < 0:
        return f"the way {error.way!r} was ended by signal {-error.status} (out of memory?)"
    if error.reason is not None:
        return error.reason
    return error.notes[-1] if error.notes else str(error)


def _say(console: Console, line: str, style: str) -> None:
    console.print(Text(line, style), soft_wrap=not console.is_terminal)


def _table(result: MeasureResult) -> Table:
    title = f"{result.data} in three ways, {words.workers(result.workers)}, {result.python}"
    table = Table(title=Text(title, "bold"))
    table.add_column("")
    for name in result.ways:
        table.add_column(HEADINGS[name], justify="right")
    rows: list[tuple[str, Callable[[WayResult], str]]] = [
        ("the data, in the parent", lambda way: words.memory(way.data_bytes)),
        ("memory of parent and workers (PSS)", lambda way: words.memory(way.tree_pss)),
        ("private memory of a worker (USS)", lambda way: _mean_memory(way.worker_private)),
        ("OS pages of the arena copied", _copied),
        ("fork of a worker", lambda way: _mean_seconds(way.fork_seconds)),
        ("first pass over the data", lambda way: _mean_seconds(way.first_pass_seconds)),
        ("second pass", lambda way: _mean_seconds(way.second_pass_seconds)),
        ("building it", lambda way: words.seconds(way.build_seconds)),
        ("freezing and sealing it", _seal),
    ]
    for label, show in rows:
        cells = [show(way) if way.unsupported is None else "-" for way in result.ways.values()]
        table.add_row(label, *cells)
    return table


def _mean_memory(sizes: list[int]) -> str:
    return words.memory(statistics.fmean(sizes))


def _mean_seconds(times: list[float]) -> str:
    return words.seconds(statistics.fmean(times))


def _copied(way: WayResult) -> str:
    return "-" if way.arena_os_pages_copied is None else f"{way.arena_os_pages_copied:,}"


def _seal(way: WayResult) -> str:
    return words.seconds(way.seal_seconds) if way.way == "frozen" else "-"
