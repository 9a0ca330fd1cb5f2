"""The command `frozen-arena`.

Exit status: 0 done, 1 the work failed, 2 wrong usage. Colours and progress appear on a terminal
only; rich honours NO_COLOR. What a command needs is imported when it runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frozen_arena import __version__

if TYPE_CHECKING:
    from frozen_arena import Status

_MOST_WORKERS = 64
_MOST_QUERIES = 1_000_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frozen-arena")
def main() -> None:
    """Share Python data between forked workers without copying it."""


@main.command()
@click.option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    default=4,
    show_default=True,
    help="Worker processes to fork.",
)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, readable=True, path_type=Path),
    help="Folder with Python files to index. [default: the standard library and site-packages]",
)
@click.option(
    "--queries",
    type=click.IntRange(1, _MOST_QUERIES),
    default=4_000,
    show_default=True,
    help="Queries that the workers answer together, in each way.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def demo(workers: int, source: Path | None, queries: int, as_json: bool) -> None:
    """Show on real input what frozen arena saves.

    Builds a code search index over Python sources, forks workers that answer queries, and does so
    three times: as it is, with gc.freeze(), and in a frozen arena. Takes about a minute.
    """
    from rich.console import Console

    from frozen_arena.demo import runner, sources
    from frozen_arena.trees.runner import TreeError

    try:
        selection = sources.select_sources(source)
    except sources.SourceError as error:
        raise click.BadParameter(str(error), param_hint="'--source'") from error
    try:
        result = runner.run_demo(
            selection, source, workers, queries, show_progress=sys.stderr.isatty()
        )
    except TreeError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json(result.to_dict())
    else:
        runner.print_demo(result, Console())
    sys.exit(0 if result.ok else 1)


@main.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "module", is_flag=True, help="TARGET is a module, as in python -m.")
@click.option(
    "--options",
    default="1",
    show_default=True,
    help="Keys and values as PYTHONFROZENARENA takes them: min_new=64M,report=1.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Run with the hash seed and fixed addresses of frozen-arena pack instead.",
)
@click.argument("target")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    module: bool, options: str, images: tuple[Path, ...], target: str, arguments: tuple[str, ...]
) -> None:
    """Run a Python program in which everything built before the first fork is shared.

    The same as PYTHONFROZENARENA=1 python TARGET ARGUMENTS; the exit status is the program's. With
    --image nothing is collected: the program opens images, and so does what it starts, without a
    word that has to be patched. FILE is looked at first.
    """
    import importlib.util
    import os
    import subprocess

    from frozen_arena.environment import VARIABLE, read

    try:
        if read(options) is None:
            raise ValueError("that switches it off")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--options'") from error
    if not module and not Path(target).exists():
        raise click.BadParameter(f"{target!r} does not exist", param_hint="'TARGET'")
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    what = ["-m", target] if module else [target]
    command = [sys.executable, *flags, *what, *arguments]
    if images:
        from frozen_arena.errors import ImageError
        from frozen_arena.imaging import commands

        try:
            for image in images:
                commands.describe(image)
        except ImageError as error:
            raise click.ClickException(str(error)) from error
        commands.settle(command)
    if importlib.util.find_spec("_frozen_arena_start_up") is None or sys.flags.no_site:
        raise click.ClickException(
            "the start-up file of the package is not where this interpreter looks for it: install "
            "frozen-arena into its site-packages (pip install, without --target)"
        )
    os.environ[VARIABLE] = options
    sys.stdout.flush()
    os.execv(sys.executable, command)


@main.command()
@click.argument("data", metavar="MODULE:CALLABLE")
@click.option(
    "--workers",
    type=click.IntRange(1, _MOST_WORKERS),
    default=4,
    show_default=True,
    help="Worker processes to fork.",
)
@click.option(
    "--read",
    metavar="MODULE:CALLABLE",
    help="What a worker does, called with the data. [default: reads all of it]",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Draw a picture too: FILE.png or FILE.svg. Needs matplotlib.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def measure(data: str, workers: int, read: str | None, plot: Path | None, as_json: bool) -> None:
    """Say what your own data would gain.

    Calls CALLABLE, which returns the data, forks workers that read all of it, and does so three
    times, each in fresh processes: as it is, with gc.freeze(), and in a frozen arena. MODULE is
    looked for in the current folder too.
    """
    from rich.console import Console

    from frozen_arena.measuring import picture, runner, target

    try:
        for name in (data, read):
            if name is not None:
                target.check_form(name)
        if plot is not None:
            if plot.suffix.lower() not in picture.SUFFIXES:
                raise click.BadParameter("ends with .png or .svg", param_hint="'--plot'")
            picture.load_matplotlib()  # before the work, which may take long
        result = runner.measure(data, read, workers, sys.stderr.isatty())
        if plot is not None:
            picture.draw(result, plot)
    except (target.TargetError, runner.MeasureError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if error.usage else 1)
    except picture.PictureError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json(result.to_dict())
    else:
        runner.print_result(result, Console())
    sys.exit(0 if result.unsupported is None else 1)


_IMAGE = click.Path(exists=True, dir_okay=False, path_type=Path)


@main.command()
@click.argument("data", metavar="MODULE:CALLABLE")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The image to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def pack(data: str, output: Path, as_json: bool) -> None:
    """Write a frozen image of what CALLABLE returns.

    Runs with the hash seed of PYTHONHASHSEED, or 0, and with fixed addresses, as does what
    run --image starts. MODULE is looked for in the current folder too.
    """
    from frozen_arena.errors import FrozenArenaError
    from frozen_arena.imaging import commands
    from frozen_arena.measuring import target

    try:
        target.check_form(data)
        commands.settle_this()
        result = commands.pack(data, output, sys.stderr.isatty())
    except target.TargetError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if error.usage else 1)
    except (FrozenArenaError, TypeError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json(result)
    else:
        click.echo(
            f"{output}: {result['file_bytes']:,} bytes, {result['packed']['copied']:,} objects; "
            f"packed in {result['pack_seconds']:.2f} s, saved in {result['save_seconds']:.2f} s"
        )


@main.command()
@click.argument("file", type=_IMAGE)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def info(file: Path, as_json: bool) -> None:
    """Say what a frozen image holds, and whether it can be opened here.

    Imports and maps nothing. Exit status 1: it is no image, or damaged.
    """
    from frozen_arena.errors import ImageError
    from frozen_arena.imaging import commands

    try:
        found = commands.describe(file)
    except ImageError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json(found)
        return
    click.echo(
        f"{found['objects']:,} objects, {found['objects_bytes']:,} bytes of objects and "
        f"{found['payload_bytes']:,} of payload, at {found['address']}"
    )
    click.echo(f"saved by Python {found['python']}")
    click.echo(f"refers to {', '.join(found['refers_to']) or 'nothing'}")
    obstacle = found["obstacle"]
    click.echo(
        "fits this interpreter" if obstacle is None else f"cannot be opened here: {obstacle}"
    )


@main.command()
@click.argument("file", type=_IMAGE)
def verify(file: Path) -> None:
    """Compare all of a frozen image with its digests.

    Exit status 1: something is not as it was saved; the message says where.
    """
    from frozen_arena.errors import ImageError
    from frozen_arena.imaging import commands

    try:
        size = commands.check(file)
    except ImageError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: whole, {size:,} bytes of data")


@main.command()
@click.argument("pid", type=click.IntRange(1), required=False)
@click.option("--once", is_flag=True, help="Look for one interval, print, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.05, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object a look, one a line.")
def top(pid: int | None, once: bool, interval: float, as_json: bool) -> None:
    """Show the memory of a process tree, live.

    PID is the root; without it, every process that maps an arena is shown, with its descendants.
    Nothing runs in the processes that are shown. Ctrl-C ends.
    """
    from rich.console import Console

    from frozen_arena.top import TopError, Watcher, looks, show, watch

    console = Console()
    try:
        watcher = Watcher(pid)
        if as_json:
            for look in looks(watcher, interval, once):
                click.echo(json.dumps(look.to_dict()))
        elif once or not console.is_terminal:
            for look in looks(watcher, interval, once=True):
                console.print(show(look, console.width))
        else:
            watch(watcher, interval, console)
    except TopError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("pid", type=click.IntRange(1))
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Causes to print; --json prints all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def explain(pid: int, limit: int, as_json: bool) -> None:
    """Name what a running process has copied of its arenas: objects, fields, causes.

    The process is not stopped, and nothing is loaded into it. It has to be this user's, and the
    kernel has to grant it (ptrace rules, such as kernel.yama.ptrace_scope). Its Python may be of
    another version than this one.
    """
    from frozen_arena.explaining.outside import CannotLook, explain_pid

    try:
        found = explain_pid(pid, limit)
    except CannotLook as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        _print_json(found.to_dict())
    else:
        click.echo(str(found))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(as_json: bool) -> None:
    """Say what works here, what does not, and what to do about it.

    Exit status 0 means that frozen arena works, 1 that it does not.
    """
    from frozen_arena import status

    found = status()
    if as_json:
        _print_json(found.to_dict())
    else:
        _print_status(found)
    sys.exit(0 if found.available else 1)


def _print_status(status: Status) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(title="frozen arena on this machine", title_style="bold")
    table.add_column("what")
    table.add_column("")
    table.add_column("found", overflow="fold")
    if not all(check.ok for check in status.checks):
        table.add_column("what that costs", overflow="fold")
        table.add_column("what to do", overflow="fold")
    for check in status.checks:
        mark = Text("ok", style="green") if check.ok else Text("no", style="yellow")
        cells = [Text(check.name), mark, Text(check.detail)]
        if len(table.columns) > len(cells):
            cells += [Text(check.cost or ""), Text(check.remedy or "")]
        table.add_row(*cells)
    console.print(f"{status.python}, {status.kernel}", highlight=False, markup=False)
    if status.checks:
        console.print(table)
    if status.available:
        console.print("frozen arena works here.", style="bold green")
    else:
        reason = f"frozen arena does not work here: {status.reason}"
        console.print(reason, style="bold red", highlight=False, markup=False)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2))
