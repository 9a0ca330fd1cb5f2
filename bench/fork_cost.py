"""Fork: what ``os.fork()`` costs a parent that holds 0, 1 or 8 GiB.

Two processes are alive at the same time, one with data that it has read and one without, and take
turns: a batch of forks here, a batch there. The time is that of the call in the parent; the child
ends at once and is reaped outside the measured time.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import time
from typing import Any

from bench import harness, memory
from bench.passes import build_mix, scan_mix

MODULE = "bench.fork_cost"
_MAX_RATIO = 1.2
_OBJECTS_MIB = 512  # of each GiB up to the first: objects; what is more are texts of 256 KiB
_TEXT_BYTES = 256 * 1024
_BATCH = 20
_MIB_IN_ALL_MODES = 1024  # stock at 8 GiB takes long and says what 1 GiB has said
_ROOM = 1.4  # memory that must be available, x the data


def tree(request: dict[str, Any]) -> list[float]:
    """Builds the data, then forks a batch whenever it is asked.

    Args:
        request: ``mode`` and ``mib``.

    Returns:
        Nothing of interest: the figures go through `harness.serve`, batch by batch.
    """
    mib = request["mib"]
    data: Any = None
    build_mix(1)
    if request["mode"] == "frozen":
        import frozen_arena  # noqa: F401 - with and without data, what differs is the data
    if mib:
        with harness.prepared(request["mode"], "fork", {}):
            data = _build(mib)
        _read(data)
    gc.collect()
    harness.give_back(request["mode"])
    resident = memory.resident_bytes()
    harness.serve(resident, lambda: [_time_fork() for _ in range(_BATCH)])
    return [] if data is None else [resident]


def _build(mib: int) -> list[Any]:
    """Objects of all kinds up to half a GiB, texts beyond."""
    objects = min(mib // 2, _OBJECTS_MIB) if mib < 2 * _OBJECTS_MIB else _OBJECTS_MIB
    texts = (mib - objects) * memory.MIB // _TEXT_BYTES
    return [build_mix(objects), [f"{number:08d}" * (_TEXT_BYTES // 8) for number in range(texts)]]


def _read(data: list[Any]) -> None:
    """Reads all of it, as a parent that has been running for a while has done."""
    mix, texts = data
    scan_mix(mix)
    for text in texts:
        text.count("x")


def _time_fork() -> float:
    """Milliseconds that one fork takes in the parent."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    elapsed = time.perf_counter() - start
    os.waitpid(pid, 0)
    return elapsed * 1000


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Compares each size with a process that has no data."""
    sizes = [
        int(size * 1024) for size in arguments.gib or ((0.125,) if arguments.quick else (1, 8))
    ]
    rounds = 5 if arguments.quick else 15
    result = harness.Result(
        f"Fork: {rounds * _BATCH} forks each, in turns",
        ["", "resident MiB", "ms, median", "fastest", "without data ms", "fastest", "ratio"],
    )
    for mib in sizes:
        every = mib <= max(_MIB_IN_ALL_MODES, sizes[0])
        modes = [mode for mode in harness.modes() if every or mode == "frozen"]
        ratios: dict[str, float] = {}
        if memory.available_memory() >= mib * memory.MIB * _ROOM:
            ratios = {mode: _compare(result, mode, mib, rounds) for mode in modes}
        result.bounds.append(
            harness.bound(
                f"frozen, {mib / 1024:g} GiB: x without data",
                ratios.get("frozen"),
                _MAX_RATIO,
                harness.no_package(),
                ("frozen" not in ratios, "too little memory available"),
            )
        )
    if harness.NO_IMMORTALS[0]:
        result.notes.append(harness.GIVES_BACK)
    if len(sizes) > 1:
        result.notes.append(f"stock and gc.freeze: up to {_MIB_IN_ALL_MODES} MiB only")
    return result


def _compare(result: harness.Result, mode: str, mib: int, rounds: int) -> float:
    """Measures one mode at one size, adds its row, and returns the ratio."""
    with contextlib.ExitStack() as stack:
        full = harness.Served(stack, MODULE, {"mode": mode, "mib": mib})
        empty = harness.Served(stack, MODULE, {"mode": mode, "mib": 0})
        full.ask(), empty.ask()  # the first batch warms up
        batches = [(full.ask(), empty.ask()) for _ in range(rounds)]
        return _enter(result, mode, mib, full.greeting, batches)


def _enter(
    result: harness.Result,
    mode: str,
    mib: int,
    resident: int,
    batches: list[tuple[list[float], list[float]]],
) -> float:
    """Adds a row and its figures; returns the ratio."""
    full = [elapsed for batch, _ in batches for elapsed in batch]
    empty = [elapsed for _, batch in batches for elapsed in batch]
    ratio = harness.middle(full) / harness.middle(empty)
    name = f"{mode}, {mib / 1024:g} GiB"
    figures = (harness.middle(full), min(full), harness.middle(empty), min(empty))
    result.rows.append((name, resident / memory.MIB, *figures, ratio))
    result.data.append(
        {
            "mode": mode,
            "mib": mib,
            "resident_bytes": resident,
            "milliseconds": full,
            "milliseconds_without_data": empty,
            "ratio": ratio,
        }
    )
    return ratio


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gib", type=float, nargs="+", help="sizes of the data (default 1 8)")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
