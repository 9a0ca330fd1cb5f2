"""Outside a block: instructions of ordinary loops with and without the package.

Each loop runs under callgrind with N and with 2 N rounds; the difference is what N rounds cost,
free of start-up, imports and the block itself. Instructions do not depend on how busy the machine
is. The stock state is counted twice, the second time with its stack elsewhere, to show the noise.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import geometric_mean

from bench import harness
from bench.loops import LOOPS, STATES

MODULE = "bench.outside"
_MAX_RATIO = 1.003
_COUNT = 1600
_QUICK_COUNT = 240
_MOVED = "x" * 3000  # an environment variable this long moves the stack


def count_instructions(loop: str, count: int, state: str) -> int:
    """Instructions of a whole process that runs `count` rounds of a loop.

    Raises:
        RuntimeError: valgrind failed.
    """
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    ended = subprocess.run(
        [*command, "-m", "bench.loops", loop, str(count), state],
        env=harness.environment(
            PYTHONHASHSEED="0", BENCH_MOVED=_MOVED if state == STATES[1] else ""
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", ended.stderr)
    if ended.returncode != 0 or not found:
        message = f"valgrind ended with status {ended.returncode}: {ended.stderr[-2000:]}"
        raise RuntimeError(message)
    return int(found[1])


def count_rounds(loop: str, count: int, state: str) -> int:
    """Instructions of `count` rounds of a loop, start-up cancelled."""
    return count_instructions(loop, 2 * count, state) - count_instructions(loop, count, state)


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Counts every loop in every state."""
    count = _QUICK_COUNT if arguments.quick else _COUNT
    states = STATES if harness.package_version() else STATES[:2]
    result = harness.Result(
        f"Outside a block: instructions of {count} rounds",
        ["loop", "million", *(f"{state}, x" for state in states[1:])],
    )
    if shutil.which("valgrind") is None:
        _add_bounds(result, {}, (True, "valgrind is not installed"))
        return result
    names = [loop.__name__ for loop in LOOPS]
    jobs = [(name, count, state) for name in names for state in states]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        counted = dict(zip(jobs, pool.map(lambda job: count_rounds(*job), jobs), strict=True))
    ratios: dict[str, list[float]] = {state: [] for state in states[1:]}
    for name in names:
        figures = [counted[name, count, state] for state in states]
        for state, figure in zip(states[1:], figures[1:], strict=True):
            ratios[state].append(figure / figures[0])
        cells = [f"{values[-1]:.5f}" for values in ratios.values()]
        result.rows.append((name, figures[0] / 1e6, *cells))
        result.data.append({"loop": name, "instructions": dict(zip(states, figures, strict=True))})
    _add_means(result, ratios)
    return result


def _add_means(result: harness.Result, ratios: dict[str, list[float]]) -> None:
    """Adds the row of geometric means, and the bounds on them."""
    means = {state: geometric_mean(values) for state, values in ratios.items()}
    result.rows.append(("geometric mean", None, *(f"{mean:.5f}" for mean in means.values())))
    result.data.append({"loop": "geometric mean", "ratios": means})
    _add_bounds(result, means)


def _add_bounds(
    result: harness.Result, means: dict[str, float], *obstacles: harness.Obstacle
) -> None:
    """Adds the bounds of the states with the package."""
    result.bounds += [
        harness.bound(
            f"{state}, x never imported",
            means.get(state),
            _MAX_RATIO,
            harness.no_package(),
            *obstacles,
        )
        for state in STATES[2:]
    ]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure, _arguments), __doc__))
