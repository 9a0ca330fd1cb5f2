"""Starts a program once for each way, follows its progress, and reads its result.

A program is a module that prints one JSON object on standard output; on standard error it may print
lines of JSON that tell how far it has come (`way.progress_lines`), and notes in words. One that
fails may print `{"error": "why"}` instead of its result.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

HEADINGS: Final = {"stock": "stock", "gc.freeze": "gc.freeze()", "frozen": "frozen arena"}

_WAY_SECONDS: Final = 600.0  # a way that has not ended by then never will
_NOTE_LINES: Final = 20

OnProgress = Callable[[str, str, int, int], None]
"""Way, step, what is done, what there is to do."""


class TreeError(RuntimeError):
    """A way did not come to its end.

    Attributes:
        way: which.
        status: the exit status of its program; negative: the signal that ended it.
        notes: what it said last on standard error.
        reason: why, in its own words; None when it did not say.
    """

    def __init__(self, way: str, status: int, notes: list[str], reason: str | None) -> None:
        self.way, self.status, self.notes, self.reason = way, status, notes, reason
        said = reason or "\n".join(notes) or "it said nothing"
        super().__init__(f"the way {way!r} ended with status {status}:\n{said}")


def run_way(
    way: str,
    module: str,
    arguments: Sequence[str],
    on_progress: OnProgress,
    environment: Mapping[str, str] | None = None,
    seconds: float = _WAY_SECONDS,
) -> tuple[dict[str, Any], list[str]]:
    """Runs `module` as a program for one way.

    Args:
        way: one of `WAYS`; the program is told it by ``--way``.
        module: for ``python -m``.
        arguments: what else it is told.
        on_progress: called with each line of progress.
        environment: variables beside those of this process.
        seconds: after which the program is ended.

    Returns:
        Its result, and what else it said on standard error.

    Raises:
        TreeError: it did not come to its end.
    """
    command = [sys.executable, "-P", "-m", module, "--progress", "--way", way, *arguments]
    variables = {**os.environ, **(environment or {})}
    variables.pop("PYTHONFROZENARENA", None)  # the other ways must be what they claim to be
    variables.setdefault("PYTHONHASHSEED", "0")
    notes: list[str] = []
    with subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        try:
            for line in process.stderr:
                event = _progress_event(line)
                if event is None:
                    notes.append(line.rstrip())
                    del notes[:-_NOTE_LINES]
                else:
                    on_progress(way, *event)
            output = process.stdout.read()
            process.wait()
        except BaseException:
            process.kill()  # its workers end with it
            raise
        finally:
            timer.cancel()
    if process.returncode != 0:
        raise TreeError(way, process.returncode, notes, _reason(output))
    result: dict[str, Any] = json.loads(output)
    return result, notes


def touch_memory(nbytes: int) -> None:
    """Touches memory once, at most half of what is free, so that the first way does not pay for it.

    On a virtual machine memory that the guest touches for the first time is several times slower.
    """
    size = min(nbytes, psutil.virtual_memory().available // 2)
    pages = size // mmap.PAGESIZE
    if pages:
        with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
            memory[:: mmap.PAGESIZE] = bytes(pages)


@contextlib.contextmanager
def progress_bar(show: bool, steps: Mapping[str, str]) -> Iterator[OnProgress]:
    """A bar for each step of each way, on standard error; nothing where it would be in the way.

    Args:
        show: whether to draw it.
        steps: what each step does, as the end of a sentence: ``{"build": "builds the index"}``.
    """
    if not show:
        yield lambda way, step, done, total: None
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[tuple[str, str], Any] = {}
    with progress:

        def on_progress(way: str, step: str, done: int, total: int) -> None:
            if (way, step) not in tasks:
                label = f"{HEADINGS[way]} {steps[step]}"
                tasks[way, step] = progress.add_task(label, total=total)
            progress.update(tasks[way, step], completed=done)

        yield on_progress


def _reason(output: str) -> str | None:
    """Why a program failed, from what it printed instead of its result."""
    try:
        return str(json.loads(output)["error"])
    except (ValueError, KeyError, TypeError):
        return None


def _progress_event(line: str) -> tuple[str, int, int] | None:
    """Step, done and total of a line of progress; None for any other line."""
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
        return str(event["step"]), int(event["done"]), int(event["total"])
    except (ValueError, KeyError, TypeError):
        return None
