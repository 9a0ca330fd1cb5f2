"""Reshare: what a child that has read everything gives back, for each standard data set.

A fresh process builds the data and forks one child, which reads all of it as
`readers.read_everything` does, collects, and calls `Arena.reshare`. CPython 3.11 counts references
to every object. From 3.12 on numbers are kept mortal, as objects of a C extension that nobody knows
would be, so that reading copies their OS pages there too.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from statistics import median
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS, Dataset
from bench.readers import read_everything

MODULE = "bench.reshare"
_MORTAL = {} if harness.NO_IMMORTALS[0] else {"keep_mortal": (int, float)}
_OPTIONS = {**_MORTAL, "reshare": "never"}  # but when it is called here
_WARM_UP_SCALE = 0.001
_QUICK_SCALE = 0.05
_MAX_LEFT = 0.01  # of what was copied
_MAX_SECONDS = 0.5  # a GiB that is compared
_PASSES = 3
_FEW = 64  # copied OS pages, of which what the reader itself holds is more than the bound


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds one data set, and has one forked child read it and give back what it copied.

    Args:
        request: ``dataset`` and ``scale``.

    Returns:
        What the child copied and what it kept, in OS pages by pass, and the seconds that took.
    """
    dataset = DATASETS[request["dataset"]]
    read_everything(dataset.build(_WARM_UP_SCALE), dataset)  # imports, caches of code and types
    with harness.prepared("frozen", dataset.name, {**dataset.options, **_OPTIONS}) as arena:
        root = dataset.build(request["scale"])
    child = harness.Child(lambda: [_read(arena, root, dataset) for _ in range(_PASSES)])
    passes = child.answer()
    child.leave()
    return {"passes": passes}


def _read(arena: Any, root: Any, dataset: Dataset) -> dict[str, Any]:
    """In the child: reads, collects, and gives back."""
    read_everything(root, dataset)
    gc.collect()
    copied = arena.sharing().lanes["objects"]
    start = time.perf_counter()
    given_back = arena.reshare()
    seconds = time.perf_counter() - start
    left = arena.sharing().lanes["objects"]
    return {
        "copied_os_pages": copied.private_os_pages,
        "copied_bytes": copied.private_bytes,
        "given_back_bytes": given_back,
        "left_os_pages": left.private_os_pages,
        "seconds": seconds,
    }


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every data set and fills the table."""
    small = arguments.quick or (arguments.scale or 1.0) < 1.0
    scale = arguments.scale or (_QUICK_SCALE if arguments.quick else 1.0)
    result = harness.Result(
        f"Reshare, scale {scale:g}: a child reads everything and gives it back",
        ["data set", "copied MiB", "given back MiB", "left OS pages", "left", "GiB/s compared"],
    )
    result.notes.append(f"median of {_PASSES} passes by one child")
    if _MORTAL:
        result.notes.append("numbers are kept mortal: keep_mortal=(int, float)")
    for dataset in DATASETS.values():
        if arguments.only and dataset.name not in arguments.only:
            continue
        passes: list[dict[str, Any]] = []
        if not dataset.missing and harness.package_version() is not None:
            request = {"dataset": dataset.name, "scale": scale}
            passes = harness.fresh(MODULE, request)["passes"]
        left, pace = _enter(result, dataset.name, passes)
        obstacles = (
            harness.no_package(),
            (bool(dataset.missing), f"not installed: {', '.join(dataset.missing)}"),
            (left is None, "hardly anything is copied: no numbers"),
        )
        result.bounds += [
            harness.bound(f"{dataset.name}: left, x copied OS pages", left, _MAX_LEFT, *obstacles),
            harness.bound(
                f"{dataset.name}: seconds a GiB compared",
                pace,
                _MAX_SECONDS,
                *obstacles,
                harness.too_small(small),
            ),
        ]
    return result


def _enter(
    result: harness.Result, name: str, passes: list[dict[str, Any]]
) -> tuple[float | None, float | None]:
    """Adds row and figures of one data set; what was left, and seconds a GiB."""
    if not passes or any(one["copied_os_pages"] < _FEW for one in passes):
        return None, None
    left = median(one["left_os_pages"] / one["copied_os_pages"] for one in passes)
    pace = median(one["seconds"] / one["copied_bytes"] * 2**30 for one in passes)
    result.rows.append(
        [
            name,
            median(one["copied_bytes"] for one in passes) / memory.MIB,
            median(one["given_back_bytes"] for one in passes) / memory.MIB,
            median(one["left_os_pages"] for one in passes),
            left,
            1 / pace,
        ]
    )
    result.data.append({"dataset": name, "passes": passes})
    return left, pace


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", type=float, help="size of the data, 1.0 by default")
    parser.add_argument("--only", nargs="+", choices=sorted(DATASETS), metavar="NAME")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
