"""Many arenas: what a sealed arena costs beside its data.

A fresh process seals a thousand small arenas and keeps them all. What it occupies more than before,
less the live bytes that the arenas report, is what they cost. The first one, with what all share,
is a row of its own.
"""

from __future__ import annotations

import argparse
import gc
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import harness, memory

MODULE = "bench.many_arenas"
_ARENAS = 1000
_QUICK_ARENAS = 200
_TEXTS = 200  # in each arena
_MAX_MEMORY = 0.5  # MiB an arena, beside its data
_MAX_ADDRESS_SPACE = 2.0  # MiB an arena, its data included
_UNITS = {
    "memory": "MiB",
    "page tables": "MiB",
    "address space": "MiB",
    "mappings": "",
    "descriptors": "",
}


def tree(request: dict[str, Any]) -> list[dict[str, float]]:
    """Seals arenas and keeps them alive.

    Args:
        request: ``arenas``.

    Returns:
        For the first arena, and for all that follow together, what the process then has more of,
        by the names of `_UNITS`, and their ``data`` in MiB.
    """
    from frozen_arena import arenas, frozen_arena

    count = request["arenas"]
    held: list[Any] = [None] * count
    occupied = [_occupied()]
    for number in range(count):
        with frozen_arena(f"arena {number}"):
            held[number] = [f"{number}-{part}" for part in range(_TEXTS)]
        if number in (0, count - 1):
            occupied.append(_occupied())
    sealed = arenas()
    if [arena.state for arena in sealed] != ["sealed"] * count:
        message = f"not every arena is sealed: {[arena.state for arena in sealed]}"
        raise RuntimeError(message)
    data = [
        sum(arena.report.live_bytes for arena in part if arena.report)
        for part in (sealed[:1], sealed[1:])
    ]
    del held
    return [
        {"data": size / memory.MIB, **{name: after[name] - before[name] for name in _UNITS}}
        for size, (before, after) in zip(data, pairwise(occupied), strict=True)
    ]


def _occupied() -> dict[str, float]:
    """What the calling process has of each of `_UNITS`."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "memory": memory.resident_bytes() / memory.MIB,
        "page tables": int(status["VmPTE"].split()[0]) / 1024,
        "address space": int(status["VmSize"].split()[0]) / 1024,
        "mappings": sum(1 for _ in memory.mappings()),
        "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
    }


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the process and divides by the number of arenas."""
    count = arguments.arenas or (_QUICK_ARENAS if arguments.quick else _ARENAS)
    result = harness.Result(
        f"Many arenas: {count:,} sealed ones of {_TEXTS} texts each, alive at once",
        ("", *(f"{name} {unit}".strip() for name, unit in _UNITS.items()), "of it data MiB"),
    )
    own = address_space = None
    if not harness.no_package()[0]:
        first, others = harness.fresh(MODULE, {"arenas": count})
        each = {name: value / (count - 1) for name, value in others.items()}
        own = each["memory"] - each["data"] + each["page tables"]
        address_space = each["address space"]
        for name, figures in (("the first arena", first), ("each that follows", each)):
            result.rows.append((name, *(float(figures[key]) for key in (*_UNITS, "data"))))
            result.data.append({"of": name, **figures})
    result.bounds += [
        harness.bound("MiB of an arena beside its data", own, _MAX_MEMORY, harness.no_package()),
        harness.bound(
            "MiB of address space an arena", address_space, _MAX_ADDRESS_SPACE, harness.no_package()
        ),
    ]
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arenas", type=int, help="how many, at least 2 (default 1,000)")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
