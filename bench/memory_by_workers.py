"""Memory by workers: what a parent and 1 to 16 reading workers occupy together, by peer.

Each peer's parent holds the same records and forks workers. With 1, 2, 4, 8 and 16 of them all read
every value of every record, collect garbage and wait, and the memory of the tree is measured twice:
as the sum of proportional shares (PSS), and as what a memory cgroup around the tree is charged. A
tree without records shows what the processes themselves take.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import harness, memory, runner
from bench.memory_group import MemoryGroup, memory_group
from bench.peers import OBJECTS, PACKED, PEERS, Reader, read_all
from bench.records import SIMPLE, TEXTS, Records

MODULE = "bench.memory_by_workers"
NO_DATA = "no data"
READ, AT_REST = "read", "at rest"
DATA = ((SIMPLE, 50), (TEXTS, 5), (SIMPLE, 5), (SIMPLE, 500))
_ALL_COUNTS = DATA[:2]  # the others with the shown number of workers only: it is most of the time
SHOWN = 8  # workers, of the table and the bounds
_COUNTS, _QUICK_COUNTS = (1, 2, 4, 8, 16), (1, 4, 8)
_MIB, _QUICK_MIB = 200, 24
_ROOM = 1.3  # memory that must be available, x what the copies of a stock tree need
_MAX_DIFFERENCE = 0.02
_MAX_BESIDE_OBJECTS = 1.0
_MAX_BESIDE_PACKED = 1.3

Case = tuple[str, str, int]  # peer, kind of records, values of each


def tree(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Holds the records, forks workers that read them, and adds up.

    Args:
        request: ``peer``, ``kind``, ``values``, ``mib``, ``counts``, ``folder`` for files and
            ``group``, the folder and version of the cgroup around this process, or None.

    Returns:
        For each number of workers the shares of the tree right after all have read, what the group
        is charged, and what the newest worker holds alone; with a peer that works on while nobody
        reads, once more after that.
    """
    peer = PEERS[request["peer"]]
    records = Records(request["kind"], request["values"], request["mib"])
    open_in_worker = peer.hold(records, Path(request["folder"]))
    group = MemoryGroup(*request["group"]) if request["group"] else None
    reader: list[Reader] = []  # of a worker; what it has open is part of its memory

    def read() -> int:
        if not reader:
            reader.append(open_in_worker())
        read_all(reader[0], records)
        gc.collect()
        return memory.own_bytes()

    workers: list[harness.Child] = []

    def sample(state: str, own: int) -> dict[str, Any]:
        found = {"workers": len(workers), "state": state, "own": own}
        found |= memory.shares(memory.family(os.getpid()), request["folder"])
        return found | (group.charged() if group else {})

    samples = []
    for count in request["counts"]:
        asked = workers if peer.settle else []  # in the others a second reading copies nothing
        for worker in asked:
            worker.again()
        new = [harness.Child(read) for _ in range(count - len(workers))]
        own = [worker.answer() for worker in (*asked, *new)][-1]
        workers += new
        samples.append(sample(READ, own))
        if peer.settle and count == SHOWN:  # takes minutes with many workers
            peer.settle()
            samples.append(sample(AT_REST, own))
    for worker in workers:
        worker.leave()
    return samples


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every peer on every kind of records."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    counts = _QUICK_COUNTS if quick else _COUNTS
    result = harness.Result(
        f"Memory of a parent and {SHOWN} workers that read {mib} MiB of records",
        ["records", "peer", "tree MiB", "above no data MiB", "own, a worker MiB", "cgroup MiB"],
    )
    chosen = runner.peers(result, arguments.peer)
    need = mib * memory.MIB * (counts[-1] + 1) * _ROOM
    if memory.available_memory() < need:
        result.notes.append("fewer workers: too little memory available for the copies of stock")
        counts = tuple(count for count in counts if count <= SHOWN)
    cases: list[Case] = [(NO_DATA, SIMPLE, 5)]
    asked = arguments.data or [_word(*data) for data in (DATA[:1] if quick else DATA)]
    for kind, values in (data for data in DATA if _word(*data) in asked):
        cases += [(peer.name, kind, values) for peer in chosen]

    def run(case: Case) -> list[dict[str, Any]]:
        every = case[0] == NO_DATA or case[1:] in _ALL_COUNTS
        return _one_tree(case, mib, counts if every else (SHOWN,))

    found = runner.in_rounds(result, cases, run)
    samples = {case: rounds[0] for case, rounds in found.items()}
    for case, of_case in samples.items():
        _enter(result, case, of_case, samples.get(cases[0]))
    _bounds(result, samples, small=quick)
    return result


def _word(kind: str, values: int) -> str:
    """How records are asked for on the command line."""
    return f"{kind}-{values}"


def _one_tree(case: Case, mib: float, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """The samples of one fresh tree, with what its group is charged where there is one."""
    name, kind, values = case
    peer = PEERS["stock" if name == NO_DATA else name]
    request = {
        "peer": peer.name,
        "kind": kind,
        "values": values,
        "mib": 0 if name == NO_DATA else mib,
        "counts": counts,
    }
    # First a small tree outside the group, whose libraries come into the page cache at no charge.
    small = {**request, "mib": 1, "counts": [], "group": None}
    with tempfile.TemporaryDirectory() as folder:
        harness.fresh(MODULE, {**small, "folder": folder})
    with (
        tempfile.TemporaryDirectory() as folder,
        memory_group("bench") as group,
        peer.machine(),
    ):
        request |= {"folder": folder, "group": group and group.address}
        samples: list[dict[str, Any]] = harness.fresh(MODULE, request, group.doors if group else "")
    return samples


def _enter(
    result: harness.Result,
    case: Case,
    samples: list[dict[str, Any]],
    empty: list[dict[str, Any]] | None,
) -> None:
    """Adds a row for each state with the number of workers that is shown, and all figures."""
    name, kind, values = case
    base = _at(empty, SHOWN)["pss"] if empty else 0
    for state in (READ, AT_REST):
        shown = _at(samples, SHOWN, state)
        if shown is None:
            continue
        charged = charged_bytes(shown)
        figures = (shown["pss"], shown["pss"] - base if empty else None, shown["own"], charged)
        result.rows.append(
            (
                "" if name == NO_DATA else f"{kind}, {values}",
                name if state == READ else f"{name}, {state}",
                *(amount and amount / memory.MIB for amount in figures),
            )
        )
    form = PEERS[name].form if name in PEERS else ""
    result.data.append(
        {
            "peer": name,
            "form": form,
            "kind": kind,
            "values": values,
            "samples": [_in_mib(sample) for sample in samples],
        }
    )


def _at(samples: list[dict[str, Any]], workers: int, state: str = READ) -> dict[str, Any] | None:
    """The sample of a number of workers and a state, if there is one."""
    fitting = (one for one in samples if (one["workers"], one["state"]) == (workers, state))
    return next(fitting, None)


def _in_mib(sample: dict[str, Any]) -> dict[str, Any]:
    """What a result keeps of a sample."""
    kept = {name: sample[name] for name in ("workers", "state")}
    amounts = {
        "pss": sample["pss"],
        "own": sample["own"],
        "counted": counted_bytes(sample),
        "charged": charged_bytes(sample),
    }
    return kept | {
        f"{name}_mib": amount and round(amount / memory.MIB, 2) for name, amount in amounts.items()
    }


def counted_bytes(sample: dict[str, Any]) -> int:
    """What page tables show of the tree, less programs and libraries, which were there before."""
    return sample["anonymous"] + sample["shared"] + sample["files"]


def charged_bytes(sample: dict[str, Any]) -> int | None:
    """What the cgroup is charged for the same; None without a cgroup."""
    if "charged_anonymous" not in sample:
        return None
    return sample["charged_anonymous"] + sample["charged_shared"] + sample["charged_files"]


def _bounds(
    result: harness.Result, samples: dict[Case, list[dict[str, Any]]], *, small: bool
) -> None:
    """The two counts beside each other, and the arena beside the others."""
    worst = None
    for of_case in samples.values():
        moves = any(one["state"] == AT_REST for one in of_case)  # while it is being measured
        for sample in of_case[-1:] if moves else of_case:
            charged = charged_bytes(sample)
            if charged:
                difference = abs(counted_bytes(sample) - charged) / charged
                worst = max(worst or 0.0, difference)
    result.bounds.append(
        harness.bound(
            "PSS and cgroup differ by, x cgroup",
            worst,
            _MAX_DIFFERENCE,
            (worst is None, "no memory cgroup may be made here"),
            harness.too_small(small),  # the kernel adds up a cgroup's figures in batches
        )
    )
    for kind, values in dict.fromkeys(case[1:] for case in samples if case[0] != NO_DATA):
        totals = {
            name: shown["pss"]
            for (name, *data), of_case in samples.items()
            if name in PEERS and data == [kind, values] and (shown := _at(of_case, SHOWN))
        }
        _beside(result, f"{kind}, {values}", totals, OBJECTS, _MAX_BESIDE_OBJECTS, small=small)
        if kind == TEXTS:
            _beside(result, f"{kind}, {values}", totals, PACKED, _MAX_BESIDE_PACKED, small=small)
        else:  # simple values pack into a part of what their objects take, shared or not
            result.notes += _beside_packed(f"{kind}, {values}", totals)


def _beside_packed(data: str, totals: dict[str, Any]) -> list[str]:
    """How many times the best packed form an arena takes, in words."""
    packed = {name: total for name, total in totals.items() if PEERS[name].form == PACKED}
    if not packed or "frozen arena" not in totals:
        return []
    best = min(packed, key=lambda name: packed[name])
    ratio = totals["frozen arena"] / packed[best]
    return [f"{data}: {ratio:.2f} x {best}, the best packed form"]


def _beside(
    result: harness.Result,
    data: str,
    totals: dict[str, Any],
    form: str,
    limit: float,
    *,
    small: bool,
) -> None:
    """The arena beside the best peer of a form."""
    mine = totals.get("frozen arena")
    others = [
        total
        for name, total in totals.items()
        if name != "frozen arena" and PEERS[name].form == form
    ]
    result.bounds.append(
        harness.bound(
            f"{data}: tree with {SHOWN} workers, x the best peer, {form}",
            mine / min(others) if mine and others else None,
            limit,
            harness.no_package(),
            harness.NO_IMMORTALS,
            harness.too_small(small),
            (mine is None, "the arena was left out, or failed"),
            (not others, "no such peer here"),
        )
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")
    words = [_word(*data) for data in DATA]
    parser.add_argument("--data", nargs="+", choices=words, help="these records only")
    parser.add_argument("--peer", nargs="+", choices=PEERS, help="these peers only")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
