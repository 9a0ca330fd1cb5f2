"""`frozen-arena top`: the memory of a process tree, again and again.

Called by the command line only. Everything is read from outside (`process_memory`), so the
processes may run any interpreter and notice nothing. One that ends while it is looked at is left
out.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import psutil
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from frozen_arena import words
from frozen_arena.process_memory import LaneMemory, ProcessMemory, has_arena, read_memory

__all__ = ["Look", "TopError", "Watcher", "looks", "show", "watch"]

_LANES: Final = ("objects", "payload")
_INTERPRETER: Final = ("python", "pypy")
_GONE: Final = (psutil.Error, FileNotFoundError, ProcessLookupError)
_WIDE: Final = 100  # columns from which names are shown with their arguments
_BESIDE_NAMES: Final = 65  # columns that the others take, each at its widest
_SHORTEST_NAME: Final = 10


class TopError(RuntimeError):
    """There is nothing to look at; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One process at one moment. Memory in bytes, times in seconds.

    Attributes:
        depth: 0 for the root of its tree, 1 for its children, and so on.
        faults: minor and major page faults a second since the last look; None in the first.
        memory: None when it may not be looked at.
    """

    pid: int
    name: str
    command: str
    depth: int
    age: float
    faults: float | None
    memory: ProcessMemory | None

    def lane(self, name: str) -> LaneMemory | None:
        """One lane; None for a process without an arena."""
        return None if self.memory is None else self.memory.lanes.get(name)


@dataclass(frozen=True, slots=True)
class Look:
    """All processes at one moment, parents before their children."""

    rows: list[Row] = field(default_factory=list)

    def total(self, what: str) -> int:
        """`rss`, `pss` or `uss` of all; of these only the sum of PSS counts each OS page once."""
        return sum(getattr(row.memory, what) for row in self.rows if row.memory is not None)

    def private_total(self, lane: str) -> int:
        """What all have copied of a lane; what they share is the same memory, and has no sum."""
        found = [row.lane(lane) for row in self.rows]
        return sum(one.private for one in found if one is not None)

    @property
    def faults(self) -> float | None:
        """Page faults a second, of all."""
        known = [row.faults for row in self.rows if row.faults is not None]
        return sum(known) if known else None

    @property
    def has_arena(self) -> bool:
        """Whether any process maps an arena."""
        return any(row.memory and row.memory.lanes for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {
            "processes": [asdict(row) for row in self.rows],
            "sum": {
                **{what: self.total(what) for what in ("pss", "uss")},
                "faults": self.faults,
                "lanes": {lane: {"private": self.private_total(lane)} for lane in _LANES},
            },
        }


class Watcher:
    """Looks at a process and its descendants, or at all trees in which somebody has an arena."""

    def __init__(self, pid: int | None) -> None:
        """Takes the root.

        Args:
            pid: of the root; None for every process of this machine that maps an arena and may be
                looked at, with its descendants.

        Raises:
            TopError: there is no such process, or it is another user's.
        """
        self._pid = pid
        self._root: psutil.Process | None = None
        self._faults: dict[tuple[int, float], tuple[float, int]] = {}
        if pid is not None:
            self._root = _root(pid)

    def look(self) -> Look:
        """What there is now.

        Raises:
            TopError: nothing is left to look at.
        """
        seen: dict[tuple[int, float], tuple[float, int]] = {}
        rows = [
            row for process, depth in self._processes() if (row := self._row(process, depth, seen))
        ]
        self._faults = seen
        if not rows:
            if self._pid is None:
                raise TopError("no process that may be looked at has an arena; name a PID")
            raise TopError(f"process {self._pid} has ended")
        return Look(rows)

    def _processes(self) -> Iterator[tuple[psutil.Process, int]]:
        if self._root is not None:
            yield from _tree(self._root) if self._root.is_running() else ()
            return
        mine = {pid for pid in psutil.pids() if has_arena(pid)}
        for pid in sorted(mine):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if not any(parent.pid in mine for parent in process.parents()):
                    yield from _tree(process)

    def _row(
        self, process: psutil.Process, depth: int, seen: dict[tuple[int, float], tuple[float, int]]
    ) -> Row | None:
        """None for a process that has ended."""
        try:
            with process.oneshot():
                created = process.create_time()
                name = process.name()
                command = process.cmdline()
                if process.status() == psutil.STATUS_ZOMBIE:
                    return None
            faults = _faults_of(process.pid)
            try:
                memory = read_memory(process.pid)
            except PermissionError:
                memory = None
        except _GONE:
            return None
        now = time.monotonic()
        before = self._faults.get((process.pid, created))
        seen[process.pid, created] = (now, faults)
        rate = None if before is None else (faults - before[1]) / max(now - before[0], 1e-3)
        return Row(
            process.pid,
            _short_name(name, command),
            _long_name(name, command),
            depth,
            time.time() - created,
            rate,
            memory,
        )


def looks(watcher: Watcher, interval: float, once: bool) -> Iterator[Look]:
    """Looks every `interval` seconds until everything has ended; or once, after one interval.

    One interval, because faults a second need two looks.

    Raises:
        TopError: there was nothing to look at from the beginning.
    """
    look = watcher.look()
    with contextlib.suppress(KeyboardInterrupt):
        if not once:
            yield look
        while True:
            time.sleep(interval)
            try:
                look = watcher.look()
            except TopError:
                break
            yield look
            if once:
                return
    if once:
        yield look  # it has ended meanwhile: what it was


def watch(watcher: Watcher, interval: float, console: Console) -> None:
    """Draws a table again and again until everything has ended or Ctrl-C is pressed."""
    look = watcher.look()
    live = Live(show(look, console.width), console=console, screen=True, auto_refresh=False)
    with live, contextlib.suppress(KeyboardInterrupt, TopError):
        while True:
            time.sleep(interval)
            look = watcher.look()
            live.update(show(look, console.width), refresh=True)
    console.print(show(look, console.width))  # what the other screen showed last


def show(look: Look, width: int) -> RenderableType:
    """A look as a table of at most `width` columns, with a line that explains it."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=False)
    table.add_column("\nPID", justify="right", no_wrap=True)
    table.add_column("\nname", no_wrap=True)
    for heading in ("\nage", "\nPSS", "\nUSS"):
        table.add_column(heading, justify="right", no_wrap=True)
    for lane in _LANES:
        table.add_column(f"{lane}\nshared", justify="right", no_wrap=True)
        table.add_column(f"{lane}\nprivate", justify="right", no_wrap=True)
    table.add_column("faults\na second", justify="right", no_wrap=True)
    for row in look.rows:
        table.add_row(*_cells(row, width))
    table.add_section()
    table.add_row(
        "",
        Text("sum", "bold"),
        "",
        *(Text(words.short_memory(look.total(what)), "bold") for what in ("pss", "uss")),
        *_lane_sums(look),
        "-" if look.faults is None else words.number(look.faults),
    )
    note = "bytes in powers of 1000; the sum of PSS counts shared memory once"
    if not look.has_arena:
        note = "no process here maps an arena; " + note
    if any(row.memory is None for row in look.rows):
        note += "; ?: may not be looked at (another user, or ptrace rules)"
    return Group(table, Text(note, "dim"))


def _cells(row: Row, width: int) -> list[RenderableType]:
    name = Text("  " * min(row.depth, 4) + (row.command if width >= _WIDE else row.name))
    name.truncate(max(width - _BESIDE_NAMES, _SHORTEST_NAME), overflow="ellipsis")
    cells: list[RenderableType] = [str(row.pid), name, words.age(row.age)]
    if row.memory is None:
        return [*cells, *("?" * 6), _rate(row.faults)]
    cells += [words.short_memory(row.memory.pss), words.short_memory(row.memory.uss)]
    for name_of_lane in _LANES:
        lane = row.lane(name_of_lane)
        if lane is None:
            cells += ["-", "-"]
            continue
        private = Text(words.short_memory(lane.private), "yellow" if lane.private else "green")
        cells += [words.short_memory(lane.shared), private]
    return [*cells, _rate(row.faults)]


def _lane_sums(look: Look) -> Iterator[RenderableType]:
    """Private bytes add up; shared ones are the same memory in each process, and do not."""
    for lane in _LANES:
        yield ""
        yield Text(words.short_memory(look.private_total(lane)), "bold")


def _rate(faults: float | None) -> str:
    return "-" if faults is None else words.number(faults)


def _root(pid: int) -> psutil.Process:
    try:
        process = psutil.Process(pid)
        read_memory(pid)
    except _GONE as error:
        raise TopError(f"there is no process with the PID {pid}") from error
    except PermissionError as error:
        raise TopError(
            f"process {pid} may not be looked at: it is another user's, or "
            "kernel.yama.ptrace_scope or the container forbids it; run this as its user or as root"
        ) from error
    return process


def _tree(root: psutil.Process) -> Iterator[tuple[psutil.Process, int]]:
    """A process and its descendants, parents first, with their depth."""
    yield root, 0
    depths = {root.pid: 0}
    try:
        below = root.children(recursive=True)
    except psutil.Error:
        return
    children: dict[int, list[psutil.Process]] = {}
    for process in below:
        with contextlib.suppress(psutil.Error):
            children.setdefault(process.ppid(), []).append(process)
    waiting = sorted(children.get(root.pid, ()), key=lambda one: one.pid, reverse=True)
    depths.update((one.pid, 1) for one in waiting)
    while waiting:
        process = waiting.pop()
        depth = depths[process.pid]
        if process.pid == os.getpid():
            continue  # who looks does not count
        yield process, depth
        for child in sorted(children.get(process.pid, ()), key=lambda one: one.pid, reverse=True):
            depths[child.pid] = depth + 1
            waiting.append(child)


def _faults_of(pid: int) -> int:
    """Minor and major page faults of a process until now, those of its children apart."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return int(fields[7]) + int(fields[9])  # fields 10 and 12 of proc(5)


def _long_name(name: str, command: list[str]) -> str:
    """The command line, without the folder of the program."""
    if not command:
        return name
    first = command[0] if " " in command[0] else os.path.basename(command[0])  # noqa: PTH119
    return " ".join([first, *command[1:]]).replace("\n", " ")


def _short_name(name: str, command: list[str]) -> str:
    """What tells processes apart: of "python -m app --x" it is "app", of "python app.py" the file.

    Servers that write what they are into their command line, "gunicorn: worker [app]", keep that.
    """
    if not command:
        return name
    if len(command) == 1 or " " in command[0]:
        return os.path.basename(command[0]) if command[0].startswith("/") else command[0]  # noqa: PTH119
    if not os.path.basename(command[0]).startswith(_INTERPRETER):  # noqa: PTH119
        return os.path.basename(command[0])  # noqa: PTH119
    words_left = iter(command[1:])
    for word in words_left:
        if word == "-m":
            return next(words_left, name)
        if word == "-c":
            return f"{name} -c"
        if word in ("-X", "-W"):
            next(words_left, None)
        elif not word.startswith("-"):
            return os.path.basename(word)  # noqa: PTH119
    return name
