"""Look-ups: what it takes a worker to get at a record and at one value of it, by peer.

For each kind of records one parent a peer is alive, and each has one worker that has read
everything before. In each round every worker looks up the same random records whole, visiting
every value, and then random values of the same records one at a time. The time is that of the
processor, which a busy machine moves less than that of the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from bench import harness, runner
from bench.memory_by_workers import DATA
from bench.peers import PEERS, Peer, Reader, read_all
from bench.records import Records

MODULE = "bench.look_ups"
WHOLE, ONE = "whole", "one value"
_MIB, _QUICK_MIB = 200, 8
_VALUES, _QUICK_VALUES = 1_000_000, 20_000  # that a round of whole records visits
_MOST = 100_000  # look-ups a round
_ROUNDS, _QUICK_ROUNDS = 5, 2
_MAX_BESIDE_DICT = 1.05

Seconds = dict[str, float]


def tree(request: dict[str, Any]) -> None:
    """Holds the records and forks a worker, which looks up whenever it is asked.

    Args:
        request: ``peer``, ``kind``, ``values``, ``mib``, ``folder`` for files, and ``visits``, how
            many values a round of whole records visits.
    """
    records = Records(request["kind"], request["values"], request["mib"])
    open_in_worker = PEERS[request["peer"]].hold(records, Path(request["folder"]))
    reader: list[Reader] = []

    def work() -> dict[str, float]:
        """In the worker: nanoseconds a look-up; the first time it reads everything instead."""
        if not reader:
            reader.append(open_in_worker())
            read_all(reader[0], records)
            return {}
        return _look_up(reader[0], records, request["visits"])

    child = harness.Child(work)
    child.answer()

    def one_round() -> Any:
        child.again()
        return child.answer()

    harness.serve(records.count, one_round)


def _look_up(reader: Reader, records: Records, visits: int) -> dict[str, float]:
    """Nanoseconds a look-up, of whole records and of one value at a time."""
    chance = random.Random(7)
    count = min(_MOST, max(1, visits // records.values))
    numbers = chance.choices(range(records.count), k=count)
    places = list(zip(numbers, chance.choices(records.fields, k=count), strict=True))
    record, value = reader.record, reader.value
    start = time.process_time()
    for number in numbers:
        for _ in record(number).values():
            pass
    whole = time.process_time() - start
    start = time.process_time()
    for number, field in places:
        value(number, field)
    one = time.process_time() - start
    return {WHOLE: whole / count * 1e9, ONE: one / count * 1e9}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Lets the workers of each kind of records take turns."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    result = harness.Result(
        f"Look-ups in {mib} MiB of records, nanoseconds, median and quartiles of {rounds} rounds",
        ["records", "peer", WHOLE, "quartiles", ONE, "quartiles"],
    )
    ratios: dict[str, list[float]] = {WHOLE: [], ONE: []}
    for kind, values in DATA[:1] if quick else DATA:
        common = {"kind": kind, "values": values, "mib": mib}
        visits = _QUICK_VALUES if quick else _VALUES
        with contextlib.ExitStack() as stack:
            trees: dict[str, harness.Served] = {}
            for peer in runner.peers(result, arguments.peer):
                with result.tried(f"{peer.name}, {kind}, {values}"):
                    trees[peer.name] = _start(stack, peer, {**common, "visits": visits})
            found = runner.in_rounds(
                result, list(trees), lambda name, trees=trees: trees[name].ask(), rounds
            )
        for name, answers in found.items():
            _enter(result, name, kind, values, answers)
        if {"stock", "frozen arena"} <= found.keys():
            for what, of_what in ratios.items():
                ours, stock = (
                    harness.middle([answer[what] for answer in found[name]])
                    for name in ("frozen arena", "stock")
                )
                of_what.append(ours / stock)
    for what, of_what in ratios.items():
        result.bounds.append(
            harness.bound(
                f"{what}: x stock, geometric mean",
                geometric_mean(of_what) if of_what else None,
                _MAX_BESIDE_DICT,
                harness.no_package(),
                harness.too_small(quick),
                (not of_what, "left out or failed"),
            )
        )
    return result


def _start(stack: contextlib.ExitStack, peer: Peer, request: dict[str, Any]) -> harness.Served:
    """A tree whose worker has read everything."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    stack.enter_context(peer.machine())
    return harness.Served(stack, MODULE, {**request, "peer": peer.name, "folder": folder})


def _enter(
    result: harness.Result, name: str, kind: str, values: int, answers: list[Seconds]
) -> None:
    """Adds the row of a peer, and its figures."""
    spreads = {what: runner.spread([answer[what] for answer in answers]) for what in (WHOLE, ONE)}
    cells: list[Any] = [f"{kind}, {values}", name]
    for spread in spreads.values():
        cells += [f"{spread['median']:,.0f}", f"{spread['low']:,.0f} - {spread['high']:,.0f}"]
    result.rows.append(cells)
    result.data.append(
        {"peer": name, "form": PEERS[name].form, "kind": kind, "values": values, "ns": spreads}
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")
    parser.add_argument("--peer", nargs="+", choices=PEERS, help="these peers only")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
