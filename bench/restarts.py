"""Restarts: what a parent that keeps replacing its workers pays for each, by peer.

As servers do after so many requests, the parent forks a worker, which looks up its first record,
then everything, and ends; then comes the next. A worker pays for the fork, for what it copies, and
for giving that back; a parent that copies or grows with each fork would show at the end.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import harness, memory, runner
from bench.peers import PEERS, read_all
from bench.records import SIMPLE, Records

MODULE = "bench.restarts"
_MIB, _QUICK_MIB = 200, 8
_RESTARTS, _QUICK_RESTARTS = 10, 3
_ROUNDS, _QUICK_ROUNDS = 2, 1
_MAX_GROWTH = 1.0  # MiB


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Holds the records, then forks one worker after another.

    Args:
        request: ``peer``, ``mib``, ``restarts`` and ``folder``.

    Returns:
        By worker the milliseconds of fork, first answer and whole life, its processor milliseconds
        and page faults; and the growth of the parent from the second worker to the last, in bytes.
    """
    records = Records(SIMPLE, 50, request["mib"])
    open_in_worker = PEERS[request["peer"]].hold(records, Path(request["folder"]))
    gc.collect()
    lives = [_one_life(open_in_worker, records)]
    before = memory.pss()
    lives += [_one_life(open_in_worker, records) for _ in range(request["restarts"] - 1)]
    return {"lives": lives, "growth": memory.pss() - before}


def _one_life(open_in_worker: Any, records: Records) -> dict[str, float]:
    """What one worker takes."""
    start = time.perf_counter()

    def work() -> float:
        reader = open_in_worker()
        reader.record(records.count - 1)
        answered = time.perf_counter() - start
        read_all(reader, records)
        gc.collect()
        return answered

    worker = harness.Child(work)
    forked = time.perf_counter() - start
    answered = worker.answer()
    used = worker.leave()
    seconds = {"fork": forked, "first answer": answered, "life": time.perf_counter() - start}
    seconds["cpu"] = used.ru_utime + used.ru_stime
    return {f"{name} ms": value * 1000 for name, value in seconds.items()} | {
        "faults": used.ru_minflt
    }


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every peer."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    restarts = _QUICK_RESTARTS if quick else _RESTARTS
    columns = ["fork ms", "first answer ms", "life ms", "cpu ms", "faults"]
    result = harness.Result(
        f"{restarts} workers one after another, {mib} MiB of records",
        ["peer", *columns, "growth of the parent MiB"],
    )
    chosen = runner.peers(result, arguments.peer)

    def run(name: str) -> Any:
        with tempfile.TemporaryDirectory() as folder, PEERS[name].machine():
            request = {"peer": name, "mib": mib, "restarts": restarts, "folder": folder}
            return harness.fresh(MODULE, request)

    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    found = runner.in_rounds(result, [peer.name for peer in chosen], run, rounds)
    growth = None
    for name, answers in found.items():
        lives = [life for answer in answers for life in answer["lives"]]
        spreads = {key: runner.spread([life[key] for life in lives]) for key in columns}
        most = max(answer["growth"] for answer in answers) / memory.MIB
        if name == "frozen arena":
            growth = most
        result.rows.append((name, *(spreads[key]["median"] for key in columns), most))
        result.data.append({"peer": name, "lives": spreads, "growth_mib": most})
    result.bounds.append(
        harness.bound(
            "growth of the parent MiB",
            growth,
            _MAX_GROWTH,
            harness.no_package(),
            (growth is None, "left out or failed"),
        )
    )
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")
    parser.add_argument("--peer", nargs="+", choices=PEERS, help="these peers only")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
