"""The catalogue that all hosts share: how it is built, read, and what a worker says of itself.

Knows no host. `records` loads it once in a process, wherever the host loads its application; with
``FZA_HOST_MODE=gc.freeze`` the collector is frozen then. Sizes come from ``FZA_HOST_MIB``.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from typing import Any

from bench import memory

MODE, SIZE = "FZA_HOST_MODE", "FZA_HOST_MIB"
_RECORDS_IN_A_MIB = 920  # as the stock allocator lays them out (CPython 3.11)

Record = dict[str, Any]


def count(mib: int) -> int:
    """How many records take about `mib` MiB."""
    return mib * _RECORDS_IN_A_MIB


def record(number: int) -> Record:
    """One record: about 1.1 KiB in some twenty objects."""
    return {
        "sku": f"SKU-{number:09}",
        "name": f"article {number} of series {number % 977}",
        "price": number * 0.01 + 0.5,
        "stock": number + 1_000,
        "tags": [f"tag {number % 997}-{place}" for place in range(4)],
        "size": {"width": number + 0.25, "height": number + 0.5, "depth": number + 0.75},
    }


@functools.cache
def records() -> list[Record]:
    """All of them, built at the first call in a process or in one that it was forked from."""
    found = [record(number) for number in range(count(int(os.environ.get(SIZE, "20"))))]
    if os.environ.get(MODE) == "gc.freeze":
        gc.collect()
        gc.freeze()
    return found


def read_all() -> int:
    """Reads every field of every record, and collects as a long-running worker does."""
    total = 0
    for one in records():
        total += len(one["sku"]) + len(one["name"]) + one["stock"] + sum(map(len, one["tags"]))
        total += int(one["price"] + sum(one["size"].values()))
    del one
    gc.collect()
    return total


def facts() -> dict[str, Any]:
    """What a worker says of itself after it has read: id, sum, own bytes, arenas."""
    total = read_all()
    package = sys.modules.get("frozen_arena")
    if package is not None:
        package.reshare()  # on 3.11 a thread does so as well, in its own time
    answer: dict[str, Any] = {"pid": os.getpid(), "total": total, "own": memory.own_bytes()}
    if package is not None:
        answer["arenas"] = [[arena.name, arena.state] for arena in package.arenas()]
        answer["payload"] = package.sharing().lanes["payload"].private_os_pages
        answer["inside"] = any(records()[-1] in arena for arena in package.arenas())
    return answer
