"""Degradations: what the lack of each thing that arenas use costs, in counts.

The same records in an arena on this machine as it is, with memfd refused, and with huge pages
refused. Counted in a forked worker, none of it a time: page tables that `fork()` has copied for it,
page faults of its first pass over the data, OS pages that the pass has copied. These are the
figures that `frozen-arena doctor` names; run it on CPython 3.11 for what the lack of immortal
objects costs.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
from pathlib import Path
from typing import Any

from bench import harness

MODULE = "bench.degradations"
_RECORDS, _QUICK_RECORDS = 200_000, 10_000
_FAULTS = {"as it is": "", "no memfd": "no_memfd", "no huge pages": "no_collapse"}
_MIB = 2**20


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds records in an arena, and counts in a worker that reads them all.

    Args:
        request: ``records``.

    Returns:
        Bytes of the arena, bytes of page tables after the fork, page faults, copied OS pages.
    """
    import frozen_arena

    with frozen_arena.frozen_arena("records") as arena:
        records = [
            {"name": f"name {number}", "tags": [number, str(number)], "text": "x" * 100}
            for number in range(request["records"])
        ]
    for record in records:
        len(record["text"])

    def read() -> dict[str, Any]:
        gc.disable()
        tables = _page_table_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for record in records:
            for value in record.values():
                hash(value) if type(value) is str else len(value)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        sharing = arena.sharing()
        return {"tables": tables, "faults": faults, "copied": sharing.private_os_pages}

    worker = harness.Child(read)
    answer = worker.answer()
    worker.leave()
    return {"arena": arena.nbytes, **answer}


def _page_table_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmPTE:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmPTE")


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs each fault in a fresh tree."""
    records = _QUICK_RECORDS if arguments.quick else _RECORDS
    result = harness.Result(
        "What is missing costs, for each MiB of an arena",
        ["", "KiB of page tables copied by fork()", "faults of a first pass", "OS pages copied"],
    )
    for name, fault in _FAULTS.items():
        answer = harness.fresh(MODULE, {"records": records}, FROZEN_ARENA_TEST_FAULTS=fault)
        mib = answer["arena"] / _MIB
        copied = "-" if name == "no memfd" else round(answer["copied"] / mib, 2)
        tables = round(answer["tables"] / 1024 / mib, 2)
        result.rows.append((name, tables, round(answer["faults"] / mib, 1), copied))
        result.data.append({"what": name, **answer})
    return result


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure), __doc__))
