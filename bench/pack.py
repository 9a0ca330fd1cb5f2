"""Packing: memory and walking time of a packed copy beside the stock heap that it was copied from.

For each data set one fresh process builds it on the stock heap, walks it, packs it, drops the
original and walks the copy. Memory of the stock heap is what the process occupies more after
building it; of the copy, the OS pages of its sealed arena.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS
from bench.passes import SCANS

MODULE = "bench.pack"
_MAX_MEMORY = 0.7
_MAX_WALK = 1.0


def _walk(scan: Any, root: Any, rounds: int) -> float:
    """Seconds of the quickest of some walks, after one that is not counted."""
    scan(root)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        scan(root)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds, packs and walks one data set.

    Args:
        request: ``dataset``, ``scale`` and ``walks``.

    Returns:
        Bytes and seconds of both, seconds of packing, and the report.
    """
    import frozen_arena

    dataset = DATASETS[request["dataset"]]
    scan = SCANS.get(dataset.name)
    dataset.build(0.001)
    gc.collect()
    memory.resident_bytes()
    before = memory.resident_bytes()
    root = dataset.build(request["scale"])
    gc.collect()
    answer: dict[str, Any] = {"stock_bytes": memory.resident_bytes() - before}
    gc.disable()
    if scan is not None:
        answer["stock_walk_seconds"] = _walk(scan, root, request["walks"])
    start = time.perf_counter()
    arena = frozen_arena.pack(root, dataset.name)
    answer["pack_seconds"] = time.perf_counter() - start
    del root
    gc.collect()
    answer["packed_bytes"] = arena.nbytes
    if scan is not None:
        answer["packed_walk_seconds"] = _walk(scan, arena.root, request["walks"])
    assert arena.packed is not None
    answer["report"] = arena.packed.to_dict()
    return answer


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the rounds of every data set, and adds up."""
    scale = 0.05 if arguments.quick else 1.0
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    result = harness.Result(
        f"Packed copies, scale {scale:g}, median of {rounds}",
        (
            "data set",
            "stock MiB",
            "packed MiB",
            "ratio",
            "objects",
            "merged",
            "pack s",
            "stock walk ms",
            "packed walk ms",
            "ratio",
        ),
    )
    chosen = [DATASETS[name] for name in arguments.only or DATASETS]
    left_out = [dataset.name for dataset in DATASETS.values() if dataset not in chosen]
    left_out += [dataset.name for dataset in chosen if dataset.missing]
    sums = {"stock_bytes": 0.0, "packed_bytes": 0.0}
    walks: list[float] = []
    if harness.no_package()[0]:
        chosen = []
    for dataset in (dataset for dataset in chosen if not dataset.missing):
        request = {"dataset": dataset.name, "scale": scale, "walks": 3}
        answers = [harness.fresh(MODULE, request) for _ in range(rounds)]
        middle = {
            key: harness.middle([answer[key] for answer in answers])
            for key in answers[0]
            if key != "report"
        }
        for key in sums:
            sums[key] += middle[key]
        report = answers[0]["report"]
        row: list[Any] = [dataset.name, middle["stock_bytes"] / memory.MIB]
        row += [middle["packed_bytes"] / memory.MIB]
        row += [middle["packed_bytes"] / middle["stock_bytes"], report["objects"], report["merged"]]
        row += [middle["pack_seconds"]]
        if "stock_walk_seconds" in middle:
            walks.append(middle["packed_walk_seconds"] / middle["stock_walk_seconds"])
            row += [middle["stock_walk_seconds"] * 1000, middle["packed_walk_seconds"] * 1000]
            row += [walks[-1]]
        else:
            row += [None, None, None]
        result.rows.append(row)
        result.data.append({"dataset": dataset.name, "answers": answers})
    memory_ratio = sums["packed_bytes"] / sums["stock_bytes"] if sums["stock_bytes"] else None
    walk_ratio = statistics.geometric_mean(walks) if walks else None
    obstacles = (
        harness.no_package(),
        harness.too_small(scale < 1),
        (bool(left_out), f"without {', '.join(left_out)}"),
    )
    result.bounds += [
        harness.bound("packed memory, x stock heap", memory_ratio, _MAX_MEMORY, *obstacles),
        harness.bound("walking it, x stock heap", walk_ratio, _MAX_WALK, *obstacles),
    ]
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, help="processes for each data set (default 3)")
    parser.add_argument("--only", nargs="+", choices=sorted(DATASETS), help="these data sets")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
