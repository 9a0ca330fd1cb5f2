"""Long run: workers that answer for a long time and make garbage that the collector must find.

Each worker looks up random records and makes cyclic garbage of its own, round after round, as
long-lived services do, with the collector on as it comes. What is compared is the memory that a
worker holds alone after 1, 10, 100 ... rounds, and the processor time of its collections.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import harness, memory, runner
from bench.peers import OBJECTS, PEERS, Reader
from bench.records import SIMPLE, Records

MODULE = "bench.long_run"
_MIB, _QUICK_MIB = 200, 8
_ROUNDS, _QUICK_ROUNDS = 300, 20
_SAMPLES = (1, 3, 10, 30, 100, 300)
_LOOK_UPS = 500  # a round
_KEPT = 5_000  # small lists that a worker keeps, so that it has something to collect of its own
_MAX_GROWTH = 0.10


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Holds the records and has one worker go through all rounds.

    Args:
        request: ``peer``, ``mib``, ``rounds`` and ``folder``.

    Returns:
        What `_answer_for_long` returns, in the worker.
    """
    records = Records(SIMPLE, 50, request["mib"])
    open_in_worker = PEERS[request["peer"]].hold(records, Path(request["folder"]))
    gc.collect()
    worker = harness.Child(
        lambda: _answer_for_long(open_in_worker(), records.count, request["rounds"])
    )
    answer: dict[str, Any] = worker.answer()
    worker.leave()
    return answer


def _answer_for_long(reader: Reader, count: int, rounds: int) -> dict[str, Any]:
    """In the worker: own bytes after some rounds, collections by generation and their CPU ms."""
    chance = random.Random(11)
    collections = [0, 0, 0]
    spent = [0.0, 0.0]  # in collections; when the current one began

    def watch(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            spent[1] = time.process_time()
        else:
            spent[0] += time.process_time() - spent[1]
            collections[info["generation"]] += 1

    gc.callbacks.append(watch)
    kept: list[Any] = []
    own = {}
    start = memory.own_bytes()
    for done in range(1, rounds + 1):
        for _ in range(_LOOK_UPS):
            record = reader.record(chance.randrange(count))
            page: dict[str, Any] = {"record": record, "parts": list(record.items())}
            page["self"] = page  # only the collector finds it
            kept.append([done])
        del kept[:-_KEPT]
        if done in _SAMPLES or done == rounds:
            own[done] = memory.own_bytes() - start
    return {"own": own, "collections": collections, "collecting_ms": spent[0] * 1000}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every peer whose data is ordinary objects."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    result = harness.Result(
        f"A worker answers {rounds * _LOOK_UPS:,} times from {mib} MiB of records",
        ["peer", "own MiB after 1 round", "at the end", "collections", "CPU ms in them"],
    )
    chosen = runner.peers(result, [name for name, one in PEERS.items() if one.form == OBJECTS])

    def run(name: str) -> Any:
        with tempfile.TemporaryDirectory() as folder, PEERS[name].machine():
            request = {"peer": name, "mib": mib, "rounds": rounds, "folder": folder}
            return harness.fresh(MODULE, request)

    found = runner.in_rounds(result, [peer.name for peer in chosen], run)
    last: dict[str, float] = {}
    for name, (answer,) in found.items():
        own = {int(done): round(amount / memory.MIB, 2) for done, amount in answer["own"].items()}
        last[name] = own[rounds]
        collections = "+".join(map(str, answer["collections"]))
        result.rows.append((name, own[1], own[rounds], collections, answer["collecting_ms"]))
        samples = [{"count": done, "own_mib": amount} for done, amount in own.items()]
        result.data.append({"peer": name, **answer, "own": samples})
    ours = {"stock", "frozen arena"} <= last.keys()
    result.bounds.append(
        harness.bound(
            "growth of a worker, x stock",
            last["frozen arena"] / last["stock"] if ours else None,
            _MAX_GROWTH,
            harness.no_package(),
            harness.NO_IMMORTALS,
            harness.too_small(quick),
            (not ours, "failed"),
        )
    )
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
