"""Eight workers: what a parent and its reading workers occupy together.

The parent builds the data, reads it once and notes its proportional share (PSS). Then it forks the
workers; each reads everything and collects garbage, and while all of them wait, the shares of the
whole tree are added up. What workers cost without any data is measured by the same code on none.
"""

from __future__ import annotations

import argparse
import gc
import sys
from typing import Any

from bench import harness, memory
from bench.passes import build_mix, scan_mix

MODULE = "bench.eight_workers"
_MAX_RATIO = 1.05
_QUICK_MIB = 64
_ROOM = 1.3  # memory that must be available, x what the copies of a stock tree need


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds a mix of data and forks workers that read it.

    Args:
        request: ``mode``, ``mib`` (0 for none) and ``workers``.

    Returns:
        PSS of the parent before the fork and of the tree after, and each worker's own bytes.
    """
    scan_mix(build_mix(1))  # imports and caches
    if request["mib"]:
        with harness.prepared(request["mode"], "mix", {}):
            roots = build_mix(request["mib"])
    else:
        roots = {}
    scan_mix(roots)
    gc.collect()
    harness.give_back(request["mode"])
    alone = memory.pss()

    def read() -> int:
        scan_mix(roots)
        gc.collect()
        harness.give_back(request["mode"])
        return memory.own_bytes()

    workers = [harness.Child(read) for _ in range(request["workers"])]
    own = [worker.answer() for worker in workers]
    together = memory.pss() + memory.tree_pss(worker.pid for worker in workers)
    for worker in workers:
        worker.leave()
    return {"alone": alone, "together": together, "own_bytes": own}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the tree without data and then in every mode."""
    mib = arguments.mib or (_QUICK_MIB if arguments.quick else 1024)
    count = arguments.workers
    result = harness.Result(
        f"Eight workers: {mib} MiB of data, {count} workers",
        ["", "parent alone MiB", "tree MiB", "own, a worker MiB", "x bound's base"],
    )
    request: dict[str, Any] = {"mode": "stock", "mib": 0, "workers": count}
    empty = harness.fresh(MODULE, request)
    interpreters = empty["together"] - empty["alone"]
    _enter(result, "no data", empty, None)
    ratios: dict[str, float] = {}
    for mode in harness.modes():
        copies = 1 if mode == "frozen" else count + 1
        if memory.available_memory() < mib * memory.MIB * copies * _ROOM:
            result.notes.append(f"{mode}: not run, too little memory available for {copies} copies")
            continue
        answer = harness.fresh(MODULE, {**request, "mode": mode, "mib": mib})
        ratios[mode] = answer["together"] / (answer["alone"] + interpreters)
        _enter(result, mode, answer, ratios[mode])
    result.bounds.append(
        harness.bound(
            f"{count} workers, x (parent alone + interpreters of the workers)",
            ratios.get("frozen"),
            _MAX_RATIO,
            harness.no_package(),
            ("frozen" not in ratios, "too little memory available"),
        )
    )
    if harness.NO_IMMORTALS[0]:
        result.notes.append(harness.GIVES_BACK)
    result.notes.append(
        "base: parent alone + what the workers take in the tree without data,"
        f" {interpreters / memory.MIB:.1f} MiB"
    )
    return result


def _enter(result: harness.Result, name: str, answer: dict[str, Any], ratio: float | None) -> None:
    """Adds a row and its figures."""
    own = harness.middle(answer["own_bytes"])
    figures = (answer["alone"] / memory.MIB, answer["together"] / memory.MIB, own / memory.MIB)
    result.rows.append((name, *figures, ratio))
    result.data.append({"mode": name, "ratio": ratio, **answer})


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help="size of the data (default 1024)")
    parser.add_argument("--workers", type=int, default=8)


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
