"""Exit storm: what it takes when all workers end at once, as at a deploy, by peer.

Eight workers have looked one record up and are then told to end, as programs do: the interpreter of
each takes its modules and its data down. Where that touches objects it copies what reading had
left alone, in all workers at the same moment. The most memory that the tree held meanwhile is what
a cgroup around it was charged at its peak; page faults are counted by the kernel. A tree without
records shows what the interpreters themselves take to end.
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
from bench.memory_by_workers import NO_DATA
from bench.memory_group import MemoryGroup, memory_group
from bench.peers import OBJECTS, PEERS
from bench.records import SIMPLE, Records

MODULE = "bench.exit_storm"
_WORKERS = 8
_MIB, _QUICK_MIB = 200, 16
_ROUNDS, _QUICK_ROUNDS = 3, 1
_MAX_FAULTS = 0.25


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Holds the records, forks the workers, and lets them all go at once.

    Args:
        request: ``peer``, ``mib``, ``workers``, ``folder`` and ``group``.

    Returns:
        Seconds until all were reaped, their page faults and processor seconds from fork to end,
        those of workers that end on the spot, and charged bytes before and at the peak.
    """
    peer = PEERS[request["peer"]]
    records = Records(SIMPLE, 50, request["mib"])
    open_in_worker = peer.hold(records, Path(request["folder"]))
    gc.collect()
    group = MemoryGroup(*request["group"]) if request["group"] else None

    def look_up() -> int:
        return len(open_in_worker().record(0)) if records.count else 0

    def storm(*, as_program: bool) -> dict[str, Any]:
        workers = [harness.Child(look_up, as_program=as_program) for _ in range(request["workers"])]
        for worker in workers:
            worker.answer()
        if group:
            group.forget_peak()
        charged = group.total() if group else None
        start = time.perf_counter()
        for worker in workers:
            worker.let_go()
        used = [worker.reap() for worker in workers]
        return {
            "seconds": time.perf_counter() - start,
            "faults": sum(one.ru_minflt for one in used),
            "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
            "charged": charged,
            "peak": group.peak() if group else None,
        }

    return {"on the spot": storm(as_program=False), "as a program": storm(as_program=True)}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the storm with every peer whose data is ordinary objects."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    result = harness.Result(
        f"{_WORKERS} workers end at once, {mib} MiB of records",
        ["peer", "seconds", "CPU s", "faults a worker", "of them ending", "peak, MiB more"],
    )
    chosen = runner.peers(result, [name for name, one in PEERS.items() if one.form == OBJECTS])

    def run(name: str) -> Any:
        none = name == NO_DATA
        request = {
            "peer": "stock" if none else name,
            "mib": 0 if none else mib,
            "workers": _WORKERS,
        }
        with (
            tempfile.TemporaryDirectory() as folder,
            memory_group("bench") as group,
            PEERS[request["peer"]].machine(),
        ):
            request |= {"folder": folder, "group": group and group.address}
            return harness.fresh(MODULE, request, group.doors if group else "")

    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    names = [NO_DATA, *(peer.name for peer in chosen)]
    found = runner.in_rounds(result, names, run, rounds)
    faults: dict[str, float] = {}
    for name, answers in found.items():
        faults[name] = _enter(result, name, answers)
    result.bounds.append(
        harness.bound(
            "page faults of an ending worker beyond those without data, x stock",
            (faults["frozen arena"] - faults[NO_DATA]) / (faults["stock"] - faults[NO_DATA])
            if {NO_DATA, "stock", "frozen arena"} <= faults.keys()
            else None,
            _MAX_FAULTS,
            harness.no_package(),
            harness.NO_IMMORTALS,
            harness.too_small(quick),
            ("frozen arena" not in faults, "failed"),
        )
    )
    return result


def _enter(result: harness.Result, name: str, answers: list[dict[str, Any]]) -> float:
    """Adds the row of a peer and its figures; page faults of one worker that come from ending."""
    middle = {
        key: harness.middle([answer["as a program"][key] for answer in answers])
        for key in ("seconds", "cpu_seconds", "faults")
    }
    alive = harness.middle([answer["on the spot"]["faults"] for answer in answers])
    ending = (middle["faults"] - alive) / _WORKERS
    storms = [answer["as a program"] for answer in answers]
    more = [one["peak"] - one["charged"] for one in storms if one["peak"] is not None]
    result.rows.append(
        (
            name,
            middle["seconds"],
            middle["cpu_seconds"],
            f"{middle['faults'] / _WORKERS:,.0f}",
            f"{ending:,.0f}",
            harness.middle(more) / memory.MIB if more else None,
        )
    )
    result.data.append({"peer": name, "rounds": answers})
    return ending


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
