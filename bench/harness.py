"""Runs scenarios in fresh process trees and writes tables and JSON; every script here uses it.

A script calls `main` with two functions: `tree`, which runs in a fresh interpreter and returns
plain data, and `measure`, which asks for trees by `fresh`, fills a `Result` and runs in the process
the user started. Only that process loads rich; the trees load nothing but the data and the package
under test.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.children import Child as Child

MODES = ("stock", "gc.freeze", "frozen")
CHECKOUT = Path(__file__).resolve().parent.parent
RESULTS = CHECKOUT / "bench" / "results"
_OF_THE_MACHINE = {"folder", "group"}  # requests that results do not name
_TIME_LIMIT = 1800.0  # seconds one tree may take; the largest builds 8 GiB

Request = Mapping[str, Any]
Tree = Callable[[dict[str, Any]], Any]


OK, BROKEN, NOT_MEASURED = "ok", "BROKEN", "not measured"


@dataclass(slots=True)
class Bound:
    """One bound: what is measured, what came out, and what it may be at most.

    Attributes:
        measured: None where nothing was measured; `reason` then says why.
    """

    what: str
    measured: float | None
    limit: float
    reason: str = ""

    @property
    def status(self) -> str:
        """`OK`, `BROKEN` or `NOT_MEASURED`."""
        if self.measured is None:
            return NOT_MEASURED
        return OK if self.measured <= self.limit else BROKEN


Obstacle = tuple[bool, str]
NO_IMMORTALS: Obstacle = (
    sys.version_info < (3, 12),
    "CPython 3.11 has no immortal objects: headers that are read are copied",
)


def bound(what: str, measured: float | None, limit: float, *obstacles: Obstacle) -> Bound:
    """A bound; not measured when one of `obstacles` is there, the first of which is the reason."""
    reason = next((why for there, why in obstacles if there), "")
    return Bound(what, None if reason else measured, limit, reason)


def plain(bound: Bound) -> dict[str, Any]:
    """A bound as JSON carries it."""
    return {**asdict(bound), "status": bound.status}


def no_package() -> Obstacle:
    """Where the bound is on an arena."""
    return package_version() is None, "arenas do not work in this interpreter"


def too_small(small: bool) -> Obstacle:
    """Where small data says little: it fits into caches, and the interpreter outweighs it."""
    return small, "at full size only"


@dataclass(slots=True)
class Result:
    """What a scenario hands back: rows for the table, bounds, and notes in words.

    Attributes:
        failures: What could not be measured because it failed; the exit status says so too.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Any]] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def tried(self, what: str) -> Iterator[None]:
        """Takes down that `what` failed, where the block fails, and goes on after it."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            self.failures.append(f"{what}: {error}")


@dataclass(slots=True)
class Scenario:
    """What a script gives to `main`.

    Attributes:
        module: Name for ``python -m``.
        tree: Runs in a fresh process; takes and returns what JSON can carry. None where the script
            starts its processes itself.
        measure: Runs in the user's process; takes the parsed arguments.
        arguments: Adds the script's own options.
    """

    module: str
    tree: Tree | None
    measure: Callable[[argparse.Namespace], Result]
    arguments: Callable[[argparse.ArgumentParser], object] = lambda _parser: None


def main(scenario: Scenario, description: str | None) -> int:
    """Runs a script: the hidden side in a fresh tree, or the side the user started.

    Returns:
        The exit status: 1 when a bound is broken or something failed, else 0.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {scenario.module}", description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and machine facts")
    parser.add_argument("--quick", action="store_true", help="small data, few rounds")
    if scenario.tree:
        parser.add_argument("--tree", help=argparse.SUPPRESS)
        parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    scenario.arguments(parser)
    arguments = parser.parse_args()
    if scenario.tree and arguments.tree is not None:
        answer = scenario.tree(json.loads(arguments.tree))
        with os.fdopen(arguments.answer, "w", encoding="utf-8") as pipe:
            json.dump(answer, pipe)
        return 0
    result = scenario.measure(arguments)
    show(result)
    if arguments.json:
        write_json(arguments.json, scenario.module, arguments, result)
    return int(bool(result.failures) or any(one.status == BROKEN for one in result.bounds))


def environment(**variables: str) -> dict[str, str]:
    """The environment of a tree: what the user has, and this checkout on the path.

    But for ``PYTHONFROZENARENA``: with it stock would not be what it claims to be.
    """
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    inherited = {name: text for name, text in os.environ.items() if name != "PYTHONFROZENARENA"}
    return {**inherited, "PYTHONPATH": path, **variables}


@contextlib.contextmanager
def start(
    module: str, request: Request, doors: str = "", **variables: str
) -> Iterator[tuple[Any, int]]:
    """Starts the tree side of `module` in a fresh interpreter.

    Args:
        module: Name for ``python -m``.
        request: What its `tree` function is given.
        doors: The file of a cgroup to which a process writes its id to join, before it is Python.
        **variables: Environment variables beside the inherited ones.

    Yields:
        The process with pipes to its standard input and output, and the descriptor of its answer.
    """
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        module,
        "--tree",
        json.dumps(request),
        "--answer",
        str(writing),
    ]
    if doors:
        command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', doors, *command]
    process = subprocess.Popen(
        command,
        pass_fds=(writing,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(**variables),
        text=True,
        start_new_session=True,
    )
    os.close(writing)
    try:
        yield process, reading
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        with contextlib.suppress(OSError):
            os.close(reading)


def fresh(module: str, request: Request, doors: str = "", **variables: str) -> Any:
    """Runs the tree side of `module` in a fresh interpreter and returns its answer.

    Raises:
        RuntimeError: It ended without an answer.
    """
    with start(module, request, doors, **variables) as (process, reading):
        process.stdin.close()
        process.stdin = None
        with os.fdopen(reading, encoding="utf-8", closefd=False) as pipe:
            text = pipe.read()
        try:
            process.communicate(timeout=_TIME_LIMIT if text else 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0 or not text:
        told = {key: value for key, value in request.items() if key not in _OF_THE_MACHINE}
        message = f"{module} ended with status {process.returncode} for {json.dumps(told)}"
        raise RuntimeError(message)
    return json.loads(text)


class Served:
    """A running tree that answers as often as it is asked; its other side is `serve`."""

    def __init__(self, stack: contextlib.ExitStack, module: str, request: Request) -> None:
        """Starts it and waits until its data is built; `stack` ends it."""
        self._process, _ = stack.enter_context(start(module, request))
        self.greeting = self._read()

    def ask(self) -> Any:
        """Has it do its work once, and returns what came out."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            message = f"{self._process.args[2]} ended early"
            raise RuntimeError(message)
        return json.loads(line)


def serve(greeting: Any, work: Callable[[], Any]) -> None:
    """In a tree: sends `greeting`, then does `work` once for every line on standard input."""
    print(json.dumps(greeting), flush=True)
    for _ in sys.stdin:
        print(json.dumps(work()), flush=True)


def prepared(
    mode: str, name: str, options: Mapping[str, Any]
) -> contextlib.AbstractContextManager[Any]:
    """The block in which a parent builds its data, in one of the three `MODES`.

    Returns:
        A context manager that gives the arena in mode "frozen", otherwise None.
    """
    if mode == "frozen":
        from frozen_arena import frozen_arena

        return frozen_arena(name, **options)
    return _OrdinaryBlock(collector_frozen=mode == "gc.freeze")


def give_back(mode: str) -> None:
    """What hosts call between requests on CPython 3.11, where reading copies every header.

    From 3.12 on nothing is done: what has been copied there stays copied.
    """
    if mode == "frozen" and NO_IMMORTALS[0]:
        from frozen_arena import reshare

        reshare()


GIVES_BACK = (
    "CPython 3.11: workers, and a parent that has read, call reshare() after reading, as hosts do "
    "between requests, and are measured after that"
)


class _OrdinaryBlock:
    """Stands for the block in the modes without an arena."""

    def __init__(self, *, collector_frozen: bool) -> None:
        self._collector_frozen = collector_frozen

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._collector_frozen:
            gc.collect()
            gc.freeze()


def package_version() -> str | None:
    """Version of frozen-arena for this interpreter, or None when arenas cannot work in it."""
    try:
        importlib.import_module("frozen_arena._core")
        return str(importlib.import_module("frozen_arena").__version__)
    except ImportError:
        return None


def modes() -> tuple[str, ...]:
    """The modes this interpreter can run: without the package only the two that need none."""
    return MODES if package_version() else MODES[:2]


def machine_facts() -> dict[str, Any]:
    """What a reader of the figures must know about the machine and the interpreter."""
    model = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    pages = "/sys/kernel/mm/transparent_hugepage/"
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "build": sys.version,
        "debug_build": hasattr(sys, "gettotalrefcount"),
        "thp_anonymous": _chosen(_text(pages + "enabled")),
        "thp_shmem": _chosen(_text(pages + "shmem_enabled")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "frozen_arena": package_version(),
        "commit": _commit(),
    }


def _commit() -> str:
    """Which code is measured, as git names it; with a ``+`` when the code has changed since."""
    git = ["git", "-c", f"safe.directory={CHECKOUT}", "-C", str(CHECKOUT)]
    code = ["arena", "allocator", "python", "bench/*.py", "bench/hosts/*.py", "CMakeLists.txt"]
    try:
        head = subprocess.check_output([*git, "rev-parse", "--short=10", "HEAD"], text=True)
        changed = subprocess.check_output([*git, "status", "--porcelain", "--", *code], text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.strip() + "+" * bool(changed)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _chosen(setting: str) -> str:
    """The word in brackets of a sysfs setting."""
    found = re.search(r"\[(.+?)\]", setting)
    return found[1] if found else "unknown"


def write_json(path: Path, name: str, arguments: argparse.Namespace, result: Result) -> None:
    """Writes figures, bounds and machine facts of a run."""
    hidden = {"json", "tree", "answer"}
    settings = {key: value for key, value in vars(arguments).items() if key not in hidden}
    content = {
        "scenario": name.removeprefix("bench."),
        "machine": machine_facts(),
        "settings": settings,
        "figures": result.data,
        "bounds": [plain(bound) for bound in result.bounds],
        "notes": result.notes,
        "failures": result.failures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(in_lines(content), encoding="utf-8")


def in_lines(content: Mapping[str, Any]) -> str:
    """JSON with one line for each figure, bound and note, so that a diff shows which changed."""
    parts = []
    for key, value in content.items():
        text = json.dumps(value, default=str)
        if isinstance(value, list) and value:
            items = (f"  {json.dumps(item, default=str)}" for item in value)
            text = "[\n" + ",\n".join(items) + "\n ]"
        parts.append(f' "{key}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


_COLOURS = {OK: "green", BROKEN: "red", NOT_MEASURED: "yellow"}


def show(result: Result) -> None:
    """Prints the table, the bounds and the notes."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 150, highlight=False)
    table = Table(
        title=f"{result.title} (Python {platform.python_version()})", title_justify="left"
    )
    for place, column in enumerate(result.columns):
        table.add_column(column, justify="left" if place == 0 else "right")
    for row in result.rows:
        table.add_row(*(escape(format_cell(cell)) for cell in row))
    console.print(table)
    for bound in result.bounds:
        found = bound.reason if bound.measured is None else format_cell(bound.measured)
        console.print(
            f"[{_COLOURS[bound.status]}]{bound.status:12}[/] "
            f"{escape(bound.what)}: {escape(found)} (at most {format_cell(bound.limit)})"
        )
    for note in result.notes:
        console.print(f"- {escape(note)}")
    for failure in result.failures:
        console.print(f"[red]failed[/]       {escape(failure)}")


def format_cell(value: Any) -> str:
    """A table cell: floats with three significant decimals at most, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value)


def middle(values: Sequence[float]) -> float:
    """The median, which one disturbed round does not move."""
    return median(values)
