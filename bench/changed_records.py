"""Changed records: what a worker that writes comes to hold alone, by number of changes.

One worker gives one field of random records a new value, more and more of them, without reading
anything else, and its own memory is taken after 10, 100, 1,000 ... changes. Everything copied here
is copied because somebody writes: copy-on-write as it is meant.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import harness, memory, runner
from bench.peers import OBJECTS, PEERS
from bench.records import SIMPLE, Records

MODULE = "bench.changed_records"
_MIB, _QUICK_MIB = 200, 8
_CHANGES = (10, 100, 1_000, 3_000, 10_000, 30_000, 100_000)
_MAX_GROWTH = 1.0  # x stock


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Holds the records and has one worker change them.

    Args:
        request: ``peer``, ``mib``, ``changes`` (ascending) and ``folder``.

    Returns:
        The number of records, and by changes the bytes that the worker has copied.
    """
    records = Records(SIMPLE, 50, request["mib"])
    open_in_worker = PEERS[request["peer"]].hold(records, Path(request["folder"]))
    gc.collect()

    def change() -> list[int]:
        look_up = open_in_worker().record
        gc.disable()
        chance = random.Random(5)
        fields = records.fields
        own, done = [], 0
        before = memory.own_bytes()
        for goal in request["changes"]:
            for _ in range(goal - done):
                look_up(chance.randrange(records.count))[chance.choice(fields)] = None
            done = goal
            own.append(memory.own_bytes() - before)
        return own

    worker = harness.Child(change)
    own = worker.answer()
    worker.leave()
    return {"records": records.count, "own": own}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every peer whose data is ordinary objects."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    result = harness.Result(
        f"MiB that a worker copies for changes in {mib} MiB of records",
        ["peer", *(f"{count:,} changes" for count in _CHANGES)],
    )
    chosen = runner.peers(result, [name for name, one in PEERS.items() if one.form == OBJECTS])

    def run(name: str) -> Any:
        with tempfile.TemporaryDirectory() as folder, PEERS[name].machine():
            request = {"peer": name, "mib": mib, "changes": _CHANGES, "folder": folder}
            return harness.fresh(MODULE, request)

    found = runner.in_rounds(result, [peer.name for peer in chosen], run)
    last: dict[str, float] = {}
    for name, (answer,) in found.items():
        own = [round(amount / memory.MIB, 3) for amount in answer["own"]]
        last[name] = own[-1]
        result.rows.append((name, *own))
        samples = [
            {"count": count, "own_mib": amount} for count, amount in zip(_CHANGES, own, strict=True)
        ]
        result.data.append({"peer": name, "records": answer["records"], "samples": samples})
    both = {"stock", "frozen arena"} <= last.keys()
    result.bounds.append(
        harness.bound(
            "copied for 100,000 changes, x stock",
            last["frozen arena"] / last["stock"] if both else None,
            _MAX_GROWTH,
            harness.no_package(),
            harness.NO_IMMORTALS,
            harness.too_small(quick),
            (not both, "failed"),
        )
    )
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
