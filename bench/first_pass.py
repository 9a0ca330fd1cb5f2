"""First pass: how long a fresh child takes to read all of the data once, and for random look-ups.

For each data set a stock and a frozen parent are alive at the same time and take turns. In each
round each forks one child, which makes one full pass (see passes.py), ends it with the collection
that comes sooner or later in every worker, and then looks up random entries. Stock pays for a copy
of every OS page that it reads or that the collector writes, and for 4 KiB OS pages in the look-ups.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import random
import sys
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from statistics import geometric_mean
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS
from bench.passes import SCANS

MODULE = "bench.first_pass"
_PLACES = 500_000  # different entries that are looked up, in random order, again and again
_ROUNDS = 10  # of look-ups of all places
_WARM = 2  # memory that is warm before each child, x the data
_MAX_PASS = 0.40
_MAX_LOOK_UPS = 0.85


def tree(request: dict[str, Any]) -> None:
    """Builds one data set, then has one child read it whenever it is asked.

    Args:
        request: ``dataset``, ``mode``, ``scale`` and ``rounds`` of look-ups.
    """
    dataset = DATASETS[request["dataset"]]
    SCANS[dataset.name](dataset.build(0.001))
    with harness.prepared(request["mode"], dataset.name, {}):
        root = dataset.build(request["scale"])
    gc.collect()

    def work() -> list[float]:
        """In the child: seconds of the first pass and, where there are any, of the look-ups."""
        start = time.perf_counter()
        SCANS[dataset.name](root)
        gc.collect()
        seconds = [time.perf_counter() - start]
        if dataset.name in _LOOK_UPS:
            find_entries, look_up = _LOOK_UPS[dataset.name]
            entries = find_entries(root)  # only now: the collector would look at every one
            order = array("I", random.Random(3).choices(range(len(entries)), k=_PLACES))
            start = time.perf_counter()
            for _ in range(request["rounds"]):
                look_up(root, entries, order)
            seconds.append(time.perf_counter() - start)
        return seconds

    def one_child() -> list[float]:
        memory.warm(max(1, int(dataset.mib * request["scale"] * _WARM)) * memory.MIB)
        child = harness.Child(work)
        seconds: list[float] = child.answer()
        child.leave()
        return seconds

    harness.serve(None, one_child)


_LookUp = Callable[[Any, Any, Sequence[int]], None]


def _look_up_keys(root: dict[Any, Any], keys: Sequence[Any], order: Sequence[int]) -> None:
    for place in order:
        root[keys[place]]


def _look_up_names(_root: Any, entries: Sequence[Any], order: Sequence[int]) -> None:
    for place in order:
        entries[place].name  # noqa: B018 - reading it is the point


def _look_up_item(item: Any) -> _LookUp:
    def look_up(_root: Any, entries: Sequence[Any], order: Sequence[int]) -> None:
        for place in order:
            entries[place][item]

    return look_up


def _itself(root: Any) -> Any:
    return root


# What has entries that one looks up: how to find them in the root, and what is read of one.
_LOOK_UPS: dict[str, tuple[Callable[[Any], Any], _LookUp]] = {
    "json_records": (_itself, _look_up_item("name")),
    "tuple_rows": (_itself, _look_up_item(1)),
    "instances": (_itself, _look_up_names),
    "slotted_instances": (_itself, _look_up_names),
    "namedtuples": (lambda root: list(chain.from_iterable(root.values())), _look_up_item(1)),
    "set_graph": (lambda root: list(chain.from_iterable(root)), _look_up_names),
    "str_dict_1m": (list, _look_up_keys),
    "int_dict_1m": (list, _look_up_keys),
    "long_texts": (_itself, _look_up_item(0)),
    "non_ascii_texts": (_itself, _look_up_item(0)),
    "byte_strings": (_itself, _look_up_item(0)),
    "numpy_objects": (lambda root: root["pairs"], _look_up_item(1)),
    "pandas_objects": (lambda root: root["name"].to_numpy(), _look_up_item(0)),
}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the rounds of every data set."""
    scale = 0.05 if arguments.quick else 1.0
    rounds = 3 if arguments.quick else 5
    look_ups = 1 if arguments.quick else _ROUNDS
    modes = tuple(mode for mode in harness.modes() if mode != "gc.freeze")
    result = harness.Result(
        f"First pass and collection of a child, {look_ups * _PLACES / 1e6:g} M random look-ups",
        ["data set", *(f"pass {mode} ms" for mode in modes), "ratio"]
        + [f"look-ups {mode} ms" for mode in modes]
        + ["ratio"],
    )
    ratios: tuple[list[float], list[float]] = ([], [])
    for dataset in DATASETS.values():
        if dataset.missing:
            continue
        request = {"dataset": dataset.name, "scale": scale, "rounds": look_ups}
        with contextlib.ExitStack() as stack:
            parents = [harness.Served(stack, MODULE, {**request, "mode": mode}) for mode in modes]
            taken = [[parent.ask() for parent in parents] for _ in range(rounds)]
        _enter(result, dataset.name, modes, taken, ratios)
    means = [geometric_mean(values) if values else None for values in ratios]
    nothing = [None] * len(modes)
    result.rows.append(("geometric mean", *nothing, means[0], *nothing, means[1]))
    gain = memory.huge_page_gain()
    if gain is not None:
        result.data.append({"huge_page_gain": gain})
        result.notes.append(f"random reads in huge pages on this machine: {gain:.2f} x the time")
    left_out = [dataset.name for dataset in DATASETS.values() if dataset.missing]
    obstacles = (
        harness.no_package(),
        harness.NO_IMMORTALS,
        harness.too_small(arguments.quick),
        (bool(left_out), f"without {', '.join(left_out)}"),
    )
    result.bounds += [
        harness.bound("first pass and collection, x stock", means[0], _MAX_PASS, *obstacles),
        harness.bound("random look-ups, x stock", means[1], _MAX_LOOK_UPS, *obstacles),
    ]
    never = [name for name in DATASETS if name not in _LOOK_UPS]
    result.notes.append(f"no look-ups where there are no entries of one kind: {', '.join(never)}")
    return result


def _enter(
    result: harness.Result,
    name: str,
    modes: Sequence[str],
    taken: list[list[list[float]]],
    ratios: tuple[list[float], list[float]],
) -> None:
    """Adds the row of a data set, and its ratios of pass and look-ups to `ratios`."""
    cells: list[Any] = [name]
    for which, found in enumerate(ratios):
        if which >= len(taken[0][0]):  # no look-ups
            break
        medians = [
            harness.middle([one[number][which] for one in taken]) for number in range(len(modes))
        ]
        cells += [seconds * 1000 for seconds in medians]
        if len(medians) == 2:
            found.append(medians[1] / medians[0])
            cells.append(found[-1])
        else:
            cells.append(None)
    result.rows.append(cells)
    result.data.append({"dataset": name, "modes": modes, "seconds": taken})


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure), __doc__))
