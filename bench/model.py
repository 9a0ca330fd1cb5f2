"""A model on paper: bytes of data, workers, nodes and changes make memory, its cost and fork time.

Memory of a node, in MiB, with W workers and D MiB of data::

    parent + D x size + W x (worker + D x copied + changed)
    changed = t x N x (1 - exp(-c / N)) OS pages, for c changes a worker at random places

`parent` and `worker` are an interpreter's own; `size` is what the data takes of what it takes in
stock, `copied` the part of it that reading copies, `t` the OS pages that one change touches and `N`
those over which changes spread, which grow with D. A fork takes `fork + D x fork a GiB`. All of it
is fitted to the smallest measurements that are kept, and checked against the others::

    python -m bench.model --check
    python -m bench.model --gib 10 --workers 64 --nodes 1000 --changes 10000 --price 2.5
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from statistics import mean, median
from typing import Any

from bench import bounds, harness, memory

VERSION = "3.12"  # of CPython, as in docs/benchmarks.md
FITTED = ("memory_by_workers", "changed_records", "fork_cost")
KIND, VALUES = "simple", 50  # the records that the model is fitted to
MAX_ERROR = 0.10
PEERS = ("stock", "gc.freeze", "frozen arena")
_PAGES_A_MIB = memory.MIB / memory.OS_PAGE
_GIB = 1024  # MiB

Run = Mapping[str, Any]
Runs = Mapping[str, Run]  # by scenario, of one version


@dataclass(frozen=True, slots=True)
class Model:
    """The constants of one peer.

    Attributes:
        parent: MiB of a parent without data.
        worker: MiB that a worker takes without data.
        copied: Part of the data that a worker copies by reading.
        pages_a_change: OS pages that the first changes copy each.
        spread: OS pages over which changes spread, for each MiB of data.
        fork: Milliseconds of a fork without data.
        fork_a_gib: Milliseconds more for each GiB of data.
    """

    parent: float
    worker: float
    copied: float
    pages_a_change: float
    spread: float
    fork: float
    fork_a_gib: float

    def changed(self, mib: float, changes: float) -> float:
        """MiB that a worker copies for changes at random places of `mib` MiB of data."""
        pages = self.spread * mib
        if not pages:
            return 0.0
        return self.pages_a_change * pages * (1 - exp(-changes / pages)) / _PAGES_A_MIB

    def node(self, mib: float, workers: int, changes: float = 0) -> float:
        """MiB of a parent and its workers that have read everything and changed some of it.

        What is copied twice counts once: never more than the data.
        """
        copied = min(mib, mib * self.copied + self.changed(mib, changes))
        return self.parent + mib + workers * (self.worker + copied)

    def fork_ms(self, mib: float) -> float:
        """Milliseconds of a fork."""
        return self.fork + self.fork_a_gib * mib / _GIB


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Height at 0 and slope of the line through the first two points."""
    (first, low), (second, high) = points[:2]
    slope = (high - low) / (second - first)
    return low - slope * first, slope


def memory_points(run: Run, peer: str, kind: str, values: int) -> list[tuple[float, float]]:
    """Workers and MiB of the tree, of one peer and one kind of records, right after reading."""
    return [
        (sample["workers"], sample["pss_mib"])
        for figures in run["figures"]
        if (figures["peer"], figures["kind"], figures["values"]) == (peer, kind, values)
        for sample in figures["samples"]
        if sample["state"] == "read"
    ]


def fit(runs: Runs, peer: str, kind: str = KIND, values: int = VALUES) -> Model:
    """The model of a peer and a kind of records, from one and two workers.

    What reading copies depends on the data, so that it is fitted to each kind of records; changes
    and forks were measured with the first kind and with a mix.
    """
    by_workers = runs["memory_by_workers"]
    parent, worker = line(memory_points(by_workers, "no data", "simple", 5))
    whole, each = line(memory_points(by_workers, peer, kind, values))
    mib = whole - parent
    changes = _change_points(runs["changed_records"], peer)
    (few, little), (_, most) = changes[1], changes[-1]
    pages_a_change = little * _PAGES_A_MIB / few
    fork, fork_a_gib = _fork(runs["fork_cost"], peer)
    return Model(
        parent=parent,
        worker=worker,
        copied=max(0.0, (each - worker) / mib),
        pages_a_change=pages_a_change,
        spread=most * _PAGES_A_MIB / pages_a_change / mib,
        fork=fork,
        fork_a_gib=fork_a_gib,
    )


def _change_points(run: Run, peer: str) -> list[tuple[float, float]]:
    """Changes and MiB copied, of one peer."""
    figures = next(one for one in run["figures"] if one["peer"] == peer)
    return [(sample["count"], sample["own_mib"]) for sample in figures["samples"]]


def _fork_points(run: Run, peer: str) -> list[tuple[float, float, float]]:
    """MiB of data, and milliseconds of a fork with and without it."""
    mode = "frozen" if peer == "frozen arena" else peer
    return [
        (one["mib"], median(one["milliseconds"]), median(one["milliseconds_without_data"]))
        for one in run["figures"]
        if one["mode"] == mode
    ]


def _fork(run: Run, peer: str) -> tuple[float, float]:
    """Milliseconds of a fork with no data, and more for each GiB, from the smallest size.

    Page tables of private memory are copied, those of a sealed file are not: there it is the
    mappings that cost, and they hardly grow with the data.
    """
    mib, full, empty = min(_fork_points(run, peer))
    if peer == "frozen arena":
        return full, 0.0
    return empty, (full - empty) * _GIB / mib


@dataclass(frozen=True, slots=True)
class Check:
    """One measurement beside what the model says."""

    what: str
    said: float
    measured: float

    @property
    def error(self) -> float:
        """Part of the measurement by which the model is wrong."""
        return abs(self.said / self.measured - 1)


def checks(runs: Runs) -> Iterator[Check]:
    """Every measurement that is kept and that no constant was fitted to."""
    for peer in PEERS:
        for kind, values in _kinds(runs["memory_by_workers"]):
            model = fit(runs, peer, kind, values)
            points = memory_points(runs["memory_by_workers"], peer, kind, values)
            mib = line(points)[0] - model.parent
            for workers, found in points[2:]:
                what = f"MiB, {peer}, {values} values, {kind}, {workers} workers"
                yield Check(what, model.node(mib, int(workers)), found)
        model = fit(runs, peer)
        mib = line(memory_points(runs["memory_by_workers"], peer, KIND, VALUES))[0] - model.parent
        for count, found in _change_points(runs["changed_records"], peer)[2:-1]:
            yield Check(f"MiB, {peer}, {count:,} changes", model.changed(mib, count), found)
        for size, found, _ in sorted(_fork_points(runs["fork_cost"], peer))[1:]:
            yield Check(f"ms, {peer}, fork with {size} MiB", model.fork_ms(size), found)


def _kinds(run: Run) -> list[tuple[str, int]]:
    """The kinds of records of a run that were read by different numbers of workers."""
    return list(
        dict.fromkeys(
            (one["kind"], one["values"])
            for one in run["figures"]
            if one["form"] and len(one["samples"]) > 1
        )
    )


def kept_runs() -> dict[str, Run]:
    """The kept results that the model needs."""
    kept = bounds.kept()
    return {name: kept[name, VERSION] for name in FITTED if (name, VERSION) in kept}


def sum_up(runs: Runs, arguments: argparse.Namespace) -> harness.Result:
    """What the model says for one fleet."""
    result = harness.Result(
        f"{arguments.nodes:,} nodes, {arguments.workers} workers each, {arguments.gib:g} GiB of"
        f" data, {arguments.changes:,} changes a worker",
        ["", "GiB a node", "GiB in all", "a month", "fork ms"],
    )
    for peer in PEERS:
        model = fit(runs, peer)
        mib = arguments.gib * _GIB
        node = model.node(mib, arguments.workers, arguments.changes) / _GIB
        fleet = node * arguments.nodes
        cells = (f"{fleet:,.0f}", f"{fleet * arguments.price:,.0f}", model.fork_ms(mib))
        result.rows.append((peer, node, *cells))
    result.notes.append(f"a month: at {arguments.price:g} for a GiB, whatever the currency")
    return result


def checked(runs: Runs) -> harness.Result:
    """What the model says beside what was measured."""
    result = harness.Result("The model beside measurements", ["", "says", "measured", "error"])
    found = list(checks(runs))
    for check in found:
        result.rows.append((check.what, check.said, check.measured, f"{check.error:.1%}"))
    errors = [check.error for check in found]
    result.bounds.append(harness.bound("largest error", max(errors), MAX_ERROR))
    result.notes.append(f"{len(errors)} measurements, mean error {mean(errors):.1%}")
    return result


def main() -> int:
    """Prints what the model says, or how far it is off.

    Returns:
        1 when it is further off than it may be, else 0.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench.model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="beside what was measured")
    parser.add_argument("--gib", type=float, default=10.0, help="data of a node (10)")
    parser.add_argument("--workers", type=int, default=64, help="of a node (64)")
    parser.add_argument("--nodes", type=int, default=1000, help="of the fleet (1000)")
    parser.add_argument("--changes", type=int, default=0, help="that each worker makes (0)")
    parser.add_argument("--price", type=float, default=1.0, help="of a GiB for a month (1)")
    arguments = parser.parse_args()
    runs = kept_runs()
    missing = [name for name in FITTED if name not in runs]
    if missing:
        parser.error(f"no results of {VERSION} are kept: python -m bench {' '.join(missing)}")
    result = checked(runs) if arguments.check else sum_up(runs, arguments)
    harness.show(result)
    return int(any(bound.status == harness.BROKEN for bound in result.bounds))


if __name__ == "__main__":
    sys.exit(main())
