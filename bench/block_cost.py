"""The block: what it costs to build the data inside one, and how much memory the data then takes.

For each data set fresh processes take turns: a stock build with the default collector, and the
block in all, which is entering it, building, and leaving it (collect, freeze, seal). Memory is what
the process occupies more after than before, with the sealed files counted whole.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS

MODULE = "bench.block_cost"
_MAX_SECONDS = 0.95
_MAX_MEMORY = 1.05
_WARM = 3  # memory that is warm before the build, x the data


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds one data set in one mode.

    Args:
        request: ``dataset``, ``mode`` and ``scale``.

    Returns:
        Seconds of the whole, of the phases of the report, and bytes.
    """
    if request["mode"] == "frozen":
        import frozen_arena  # noqa: F401 - the import is no part of the block
    dataset = DATASETS[request["dataset"]]
    dataset.build(0.001)
    gc.collect()
    memory.resident_bytes()
    before = memory.resident_bytes()
    memory.warm(max(1, int(dataset.mib * request["scale"] * _WARM)) * memory.MIB)
    start = time.perf_counter()
    cpu = time.process_time()
    with harness.prepared(request["mode"], dataset.name, {}) as arena:
        root = dataset.build(request["scale"])
        built = time.perf_counter()
    end = time.perf_counter()
    answer: dict[str, Any] = {
        "seconds": end - start,
        "cpu_seconds": time.process_time() - cpu,
        "build_seconds": built - start,
        "exit_seconds": end - built,
    }
    gc.collect()
    answer["bytes"] = memory.resident_bytes() - before
    if arena is not None and arena.report is not None:
        answer["report"] = arena.report.to_dict()
    del root
    return answer


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the rounds of every data set, and adds up."""
    scale = 0.05 if arguments.quick else 1.0
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    modes = tuple(mode for mode in harness.modes() if mode != "gc.freeze")
    result = harness.Result(
        f"The block, scale {scale:g}, median of {rounds}",
        (
            "data set",
            "stock s",
            "block s",
            "ratio",
            "CPU ratio",
            "of it exit s",
            "stock MiB",
            "block MiB",
            "ratio",
            "slowest phases of the exit, ms",
        ),
    )
    totals = {mode: [0.0, 0.0, 0.0] for mode in modes}
    chosen = [DATASETS[name] for name in arguments.only or DATASETS]
    left_out = [dataset.name for dataset in DATASETS.values() if dataset not in chosen]
    left_out += [dataset.name for dataset in chosen if dataset.missing]
    for dataset in chosen:
        if dataset.missing:
            continue
        request = {"dataset": dataset.name, "scale": scale}
        answers: dict[str, list[dict[str, Any]]] = {mode: [] for mode in modes}
        for _ in range(rounds):
            for mode in modes:
                answers[mode].append(harness.fresh(MODULE, {**request, "mode": mode}))
        _enter(result, dataset.name, answers, totals)
    seconds, memory_taken = _add_totals(result, totals) if "frozen" in totals else (None, None)
    obstacles = (
        harness.no_package(),
        harness.too_small(scale < 1),
        (bool(left_out), f"without {', '.join(left_out)}"),
    )
    result.bounds += [
        harness.bound("block in all, x stock build", seconds, _MAX_SECONDS, *obstacles),
        harness.bound("resident memory, x stock", memory_taken, _MAX_MEMORY, *obstacles),
    ]
    return result


def _median(answers: list[dict[str, Any]], key: str) -> float:
    return harness.middle([answer[key] for answer in answers])


def _enter(
    result: harness.Result,
    name: str,
    answers: dict[str, list[dict[str, Any]]],
    totals: dict[str, list[float]],
) -> None:
    """Adds the row of a data set, and its medians to `totals`."""
    for mode, rounds in answers.items():
        totals[mode][0] += _median(rounds, "seconds")
        totals[mode][1] += _median(rounds, "bytes") / memory.MIB
        totals[mode][2] += _median(rounds, "cpu_seconds")
    stock, block = answers["stock"], answers.get("frozen")
    row: list[Any] = [name, _median(stock, "seconds")]
    if block is None:
        row += [None] * 4 + [_median(stock, "bytes") / memory.MIB, None, None, ""]
    else:
        seconds, size = _median(block, "seconds"), _median(block, "bytes")
        cpu = _median(block, "cpu_seconds") / _median(stock, "cpu_seconds")
        row += [seconds, seconds / row[1], cpu, _median(block, "exit_seconds")]
        row += [_median(stock, "bytes") / memory.MIB, size / memory.MIB]
        row += [size / _median(stock, "bytes"), _phases(block)]
    result.rows.append(row)
    result.data.append({"dataset": name, "modes": answers})


def _phases(rounds: list[dict[str, Any]]) -> str:
    """The three phases of the exit that took longest, medians over the rounds."""
    phases = [answer["report"]["seconds"] for answer in rounds if "report" in answer]
    if not phases:
        return ""
    medians = {name: harness.middle([one[name] for one in phases]) for name in phases[0]}
    slowest = sorted(medians, key=lambda name: -medians[name])[:3]
    return " ".join(f"{name} {medians[name] * 1000:.0f}" for name in slowest)


def _add_totals(result: harness.Result, totals: dict[str, list[float]]) -> tuple[float, float]:
    """Adds the row of sums; returns the ratios of seconds and of memory."""
    stock, block = totals["stock"], totals["frozen"]
    ratios = [ours / theirs for ours, theirs in zip(block, stock, strict=True)]
    seconds = (stock[0], block[0], ratios[0], ratios[2], None)
    result.rows.append(("total", *seconds, stock[1], block[1], ratios[1], ""))
    result.data.append({"dataset": "total", "seconds_ratio": ratios[0], "memory_ratio": ratios[1]})
    return ratios[0], ratios[1]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, help="builds of each kind (default 5)")
    parser.add_argument("--only", nargs="+", choices=sorted(DATASETS), help="these data sets")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
