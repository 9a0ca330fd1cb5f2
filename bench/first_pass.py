"""First pass: how long a fresh child takes to read all of the data once, and for random look-ups.

For each data set a stock and a frozen parent are alive at the same time and take turns; in each
round each forks one child, which makes one full pass (see passes.py) and then looks up random
entries.
Stock pays for a copy of every OS page it reads, and for 4 KiB pages in the look-ups.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import math
import random
import sys
import time
from array import array
from collections.abc import Sequence
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS, Dataset
from bench.passes import scan

MODULE = "bench.first_pass"
SETS = (
    "json_records",
    "tuple_rows",
    "instances",
    "slotted_instances",
    "str_dict_1m",
    "int_dict_1m",
    "long_texts",
)
_LOOK_UPS = 5_000_000
_PLACES = 500_000  # different entries that are looked up, in random order, again and again
_WARM = 2  # memory that is warm before each child, x the data
_MAX_PASS = 0.40
_MAX_LOOK_UPS = 0.85


def tree(request: dict[str, Any]) -> None:
    """Builds one data set, then has one child read it whenever it is asked.

    Args:
        request: ``dataset``, ``mode``, ``scale`` and ``look_ups``.
    """
    dataset = DATASETS[request["dataset"]]
    scan(dataset, dataset.build(0.001))
    with harness.prepared(request["mode"], dataset.name, {}):
        root = dataset.build(request["scale"])
    keys = list(root)
    order = array("I", random.Random(3).choices(range(len(keys)), k=_PLACES))
    repeats = max(1, request["look_ups"] // _PLACES)
    gc.collect()

    def one_child() -> list[float]:
        memory.warm(max(1, int(dataset.mib * request["scale"] * _WARM)) * memory.MIB)
        child = harness.Child(lambda: _time(dataset, root, keys, order, repeats))
        seconds: list[float] = child.answer()
        child.leave()
        return seconds

    harness.serve(None, one_child)


def _time(
    dataset: Dataset, root: Any, keys: Sequence[Any], order: array[int], repeats: int
) -> list[float]:
    """In the child: seconds of the first pass and of the look-ups."""
    start = time.perf_counter()
    scan(dataset, root)
    passed = time.perf_counter()
    if isinstance(root, dict):
        _look_up_keys(root, keys, order, repeats)
    elif type(root[0]) in _FIELDS:
        _look_up_items(root, _FIELDS[type(root[0])], order, repeats)
    else:
        _look_up_names(root, order, repeats)
    return [passed - start, time.perf_counter() - passed]


_FIELDS: dict[type, Any] = {
    dict: "name",
    tuple: 1,
    str: 0,
}  # what a look-up reads of the entry it finds


def _look_up_keys(
    root: dict[Any, Any], keys: Sequence[Any], order: array[int], repeats: int
) -> None:
    for _ in range(repeats):
        for place in order:
            root[keys[place]]


def _look_up_items(root: Sequence[Any], field: Any, order: array[int], repeats: int) -> None:
    for _ in range(repeats):
        for place in order:
            root[place][field]


def _look_up_names(root: Sequence[Any], order: array[int], repeats: int) -> None:
    for _ in range(repeats):
        for place in order:
            root[place].name  # noqa: B018 - reading it is the point


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the rounds of every data set."""
    scale = 0.05 if arguments.quick else 1.0
    rounds = 3 if arguments.quick else 5
    look_ups = max(_PLACES, int(_LOOK_UPS * (0.1 if arguments.quick else 1)))
    modes = tuple(mode for mode in harness.modes() if mode != "gc.freeze")
    result = harness.Result(
        f"First pass of a child, then {look_ups / 1e6:g} M random look-ups",
        ["data set", *(f"pass {mode} ms" for mode in modes), "ratio"]
        + [f"look-ups {mode} ms" for mode in modes]
        + ["ratio"],
    )
    ratios: list[tuple[float, float]] = []
    for name in SETS:
        request = {"dataset": name, "scale": scale, "look_ups": look_ups}
        with contextlib.ExitStack() as stack:
            parents = [harness.Served(stack, MODULE, {**request, "mode": mode}) for mode in modes]
            taken = [[parent.ask() for parent in parents] for _ in range(rounds)]
        ratios += _enter(result, name, modes, taken)
    if ratios:
        first, second = ([pair[which] for pair in ratios] for which in (0, 1))
        result.rows.append(("geometric mean", None, None, _mean(first), None, None, _mean(second)))
        if arguments.quick:
            result.notes.append("bounds are checked at full size only: small data fits caches")
            return result
        result.bounds += [
            harness.Bound("first pass, x stock", _mean(first), _MAX_PASS),
            harness.Bound("random look-ups, x stock", _mean(second), _MAX_LOOK_UPS),
        ]
    return result


def _mean(ratios: Sequence[float]) -> float:
    """The geometric mean."""
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios))


def _enter(
    result: harness.Result, name: str, modes: Sequence[str], taken: list[list[list[float]]]
) -> list[tuple[float, float]]:
    """Adds the row of a data set; returns its two ratios, or nothing without the package."""
    medians = [
        [harness.middle([one[number][which] for one in taken]) for number in range(len(modes))]
        for which in (0, 1)
    ]
    ratios = [values[1] / values[0] if len(values) == 2 else None for values in medians]
    cells: list[Any] = [name]
    for values, ratio in zip(medians, ratios, strict=True):
        cells += [*(seconds * 1000 for seconds in values), ratio]
    result.rows.append(cells)
    result.data.append({"dataset": name, "modes": modes, "seconds": taken, "ratios": ratios})
    first, second = ratios
    return [] if first is None or second is None else [(first, second)]


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure), __doc__))
