"""A worker that is looked at from outside: how much slower it answers meanwhile.

A fresh process builds a mix of data in an arena and forks a worker that passes over it without end.
Turns in which ``frozen-arena explain PID`` looks at it over and over take turns with turns in which
nobody does.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from statistics import geometric_mean
from typing import Any

from bench import harness
from bench.passes import build_mix, scan_mix

MODULE = "bench.watched_worker"
_MIB = 256.0
_QUICK_MIB = 32.0
_TURNS = 8
_QUICK_TURNS = 2
_SECONDS = 5.0
_QUICK_SECONDS = 1.0
_LEAST_PACE = 0.95
_LOOP = 200  # steps of the worker between two looks at the clock


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds the data, forks the worker, and lets turns follow each other.

    Args:
        request: ``mib``, ``turns`` and ``seconds``.

    Returns:
        ``alone`` and ``watched``: steps of the worker a second, by turn; ``looks``: how often it
        was looked at.
    """
    scan_mix(build_mix(1))
    with harness.prepared("frozen", "mix", {}):
        roots = build_mix(request["mib"])
    ready, here = os.pipe()
    worker = os.fork()
    if worker == 0:
        _work(roots, here)
    counter = os.fdopen(ready, "rb")
    alone, watched, looks = [], [], 0
    try:
        for _ in range(request["turns"]):
            alone.append(_pace(counter, request["seconds"]))
            watcher = _watch(worker)
            watched.append(_pace(counter, request["seconds"]))
            looks += _end_watch(watcher)
    finally:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    return {"alone": alone, "watched": watched, "looks": looks}


def _work(roots: dict[str, Any], counter: int) -> None:
    """In the worker: looks up and adds up, and writes a byte for each round."""
    table = roots["str_dict_1m"]
    names = list(table)[:_LOOP]
    while True:
        for name in names:
            str(table[name])
        os.write(counter, b".")


def _pace(counter: Any, seconds: float) -> float:
    """Rounds of the worker a second."""
    os.set_blocking(counter.fileno(), False)
    while counter.read1(1 << 20):
        pass  # rounds before the turn
    begun, rounds = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < seconds:
        rounds += len(counter.read1(1 << 20) or b"")
        time.sleep(0.01)
    return rounds / passed


def _watch(pid: int) -> subprocess.Popen[str]:
    """Starts a process that explains `pid` over and over until its input ends."""
    program = (
        "import sys, select\n"
        "from frozen_arena.explaining.outside import explain_pid\n"
        "count = 0\n"
        "while not select.select([sys.stdin], [], [], 0)[0]:\n"
        f"    explain_pid({pid})\n"
        "    count += 1\n"
        "print(count)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _end_watch(process: subprocess.Popen[str]) -> int:
    out, _error = process.communicate()
    return int(out)


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs it once and fills the table."""
    quick = arguments.quick
    request = {
        "mib": _QUICK_MIB if quick else _MIB,
        "turns": _QUICK_TURNS if quick else _TURNS,
        "seconds": _QUICK_SECONDS if quick else _SECONDS,
    }
    result = harness.Result(
        f"A worker on {request['mib']:g} MiB that is looked at from outside",
        ["worker", "rounds/s", "x alone"],
    )
    share = None
    if harness.package_version() is not None:
        answer = harness.fresh(MODULE, request)
        pairs = list(zip(answer["alone"], answer["watched"], strict=True))
        share = geometric_mean(watched / alone for alone, watched in pairs)
        result.rows.append(["alone", harness.middle(answer["alone"]), 1.0])
        result.rows.append(["watched", harness.middle(answer["watched"]), share])
        result.data.append(answer)
        result.notes.append(f"looked at {answer['looks']} times, without a pause")
    slower = None if share is None else 1 / share
    result.bounds.append(
        harness.bound(
            "time of a round while watched, x alone",
            slower,
            1 / _LEAST_PACE,
            harness.no_package(),
            harness.too_small(quick),
        )
    )
    return result


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure), __doc__))
