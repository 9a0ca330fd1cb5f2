"""pyperformance: CPython's own benchmark suite with our hooks in and with its data frozen.

Those benchmarks that need nothing but the standard library run as the suite ships them, each in
three states (bench/pyperformance/sitecustomize.py) one after the other: stock, with the hooks that
a block leaves behind, and with everything frozen that the program has built when it starts to
measure. With ``--instructions`` callgrind counts one loop of some of them instead of timing, which
a busy machine does not move; what start-up, imports and freezing take is subtracted.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from bench import harness, runner

MODULE = "bench.pyperformance_suite"
STOCK, HOOKS, FROZEN = STATES = ("stock", "hooks", "frozen")
_MAX = {HOOKS: 1.005, FROZEN: 1.0}
_COUNTED = ("deltablue", "json_dumps", "nbody", "richards", "unpack_sequence", "pyflate", "go")
_QUICK = ("json_dumps", "richards")
_PROCESSES = ("--processes", "3", "--values", "3", "--warmups", "1")
_QUICK_PROCESSES = ("--processes", "1", "--values", "1", "--warmups", "0", "--min-time", "0.01")
_FOLDER = Path(__file__).parent / "pyperformance"
# Those that start programs or servers of their own measure the start, which has a scenario.
_LEFT_OUT = {"2to3", "python_startup", "hg_startup", "concurrent_imap", "asyncio_tcp"}


def benchmarks() -> dict[str, Path]:
    """The programs of the suite that need the standard library only, by name."""
    found = importlib.util.find_spec("pyperformance")
    if found is None or found.origin is None:
        return {}
    root = Path(found.origin).parent / "data-files" / "benchmarks"
    programs = {folder.name.removeprefix("bm_"): folder for folder in sorted(root.glob("bm_*"))}
    return {
        name: folder / "run_benchmark.py"
        for name, folder in programs.items()
        if name not in _LEFT_OUT and not _needs_more(folder)
    }


def _needs_more(folder: Path) -> bool:
    """Whether a benchmark needs more than pyperf."""
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    needs = settings["project"].get("dependencies", [])
    return (folder / "requirements.txt").exists() or any(need != "pyperf" for need in needs)


def _options(program: Path) -> list[str]:
    """What the suite gives to the program."""
    text = (program.parent / "pyproject.toml").read_text(encoding="utf-8")
    options: list[str] = (
        tomllib.loads(text).get("tool", {}).get("pyperformance", {}).get("extra_opts", [])
    )
    return options


def _environment(state: str) -> dict[str, str]:
    variables = harness.environment(BENCH_STATE=state, PYTHONHASHSEED="0")
    return {**variables, "PYTHONPATH": f"{_FOLDER}:{variables['PYTHONPATH']}"}


def time_program(program: Path, state: str, processes: tuple[str, ...]) -> dict[str, float]:
    """Seconds by benchmark of one program, medians.

    Raises:
        RuntimeError: The program failed.
    """
    import pyperf

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        inherited = "PYTHONPATH,PYTHONHASHSEED,BENCH_STATE"
        command = [sys.executable, str(program), *processes, "--quiet", "--output", str(out)]
        ended = subprocess.run(
            [*command, f"--inherit-environ={inherited}", *_options(program)],
            env=_environment(state),
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise RuntimeError(_last_line(ended))
        suite = pyperf.BenchmarkSuite.load(str(out))
        return {one.get_name(): one.median() for one in suite.get_benchmarks()}


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    lines = ended.stderr.strip().splitlines()
    return f"status {ended.returncode}: {lines[-1] if lines else 'no message'}"


def count_program(program: Path, state: str) -> dict[str, float]:
    """Million instructions of one loop of a program, start-up cancelled.

    Raises:
        RuntimeError: valgrind or the program failed.
    """
    counts = []
    for loops in (1, 2):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        worker = ("--worker", "--loops", str(loops), "--values", "1", "--warmups", "0")
        ended = subprocess.run(
            [*command, sys.executable, str(program), *worker, *_options(program)],
            env=_environment(state),
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"Collected : (\d+)", ended.stderr)
        if ended.returncode != 0 or not found:
            raise RuntimeError(_last_line(ended))
        counts.append(int(found[1]))
    return {program.parent.name.removeprefix("bm_"): (counts[1] - counts[0]) / 1e6}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every benchmark in every state."""
    counting = arguments.instructions
    unit = "million instructions" if counting else "ms"
    result = harness.Result(
        f"pyperformance, {unit}", ["benchmark", STOCK, *(f"{state}, x" for state in STATES[1:])]
    )
    there = benchmarks()
    usual = _QUICK if arguments.quick else (_COUNTED if counting else tuple(there))
    asked = [name for name in arguments.only or usual if name in there]
    absent = _absent(there, counting)
    states = STATES if harness.package_version() else STATES[:1]

    def run(case: tuple[str, str]) -> dict[str, float]:
        name, state = case
        if counting:
            return count_program(there[name], state)
        return time_program(there[name], state, _QUICK_PROCESSES if arguments.quick else _PROCESSES)

    cases = [] if absent else [(name, state) for name in asked for state in states]
    found = runner.in_rounds(result, cases, run, arguments.rounds)
    ratios: dict[str, list[float]] = {state: [] for state in STATES[1:]}
    for name in asked:
        by_state = {state: _medians(found.get((name, state), [])) for state in states}
        for benchmark, figures in _side_by_side(by_state):
            for state in STATES[1:]:
                ratios[state].append(figures[state] / figures[STOCK])
            stock = figures[STOCK] * (1 if counting else 1000)
            cells = [f"{values[-1]:.4f}" for values in ratios.values()]
            result.rows.append((benchmark, stock, *cells))
            result.data.append({"benchmark": benchmark, "unit": unit, **figures})
    for state, limit in _MAX.items():
        values = ratios[state]
        mean = geometric_mean(values) if values else None
        result.bounds.append(
            harness.bound(
                f"{state}: {'instructions' if counting else 'time'}, x stock, geometric mean",
                mean,
                limit,
                (bool(absent), absent),
                harness.no_package(),
                harness.too_small(arguments.quick),
                (mean is None, "nothing ran"),
            )
        )
    return result


def _absent(there: Mapping[str, Path], counting: bool) -> str:
    """What is not installed, and how to install it."""
    if not there:
        return "pyperformance not installed: pip install pyperformance"
    if counting and shutil.which("valgrind") is None:
        return "valgrind is not installed"
    return ""


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median over rounds, by benchmark."""
    names = rounds[0] if rounds else ()
    return {name: harness.middle([one[name] for one in rounds]) for name in names}


def _side_by_side(
    by_state: Mapping[str, Mapping[str, float]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Benchmarks that ran in all states, with the figures of each."""
    for benchmark in by_state[STOCK]:
        if all(benchmark in by_state.get(state, {}) for state in STATES):
            yield benchmark, {state: by_state[state][benchmark] for state in STATES}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instructions", action="store_true", help="count instead of timing")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these benchmarks only")
    parser.add_argument("--rounds", type=int, default=1, help="of all states (default 1)")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure, _arguments), __doc__))
