"""Explain: how long it takes to name what a child has copied of a big arena.

A fresh process builds a mix of data and forks one child, which writes to one OS page in a hundred
of each lane, spread over the whole arena: one byte of an object or of a buffer. Then
`Arena.explain` runs in the child, and ``frozen-arena explain PID`` beside it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
from typing import Any

from bench import harness, memory
from bench.passes import build_mix, scan_mix

MODULE = "bench.explain"
_MIB = 1024.0
_QUICK_MIB = 64.0
_SHARE = 100  # one OS page in so many is copied
_STEP = 8 * 37  # where on its OS page each write goes: another place each time
_MAX_SECONDS = 2.0
_ROUNDS = 3


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds the data and has one forked child write and explain.

    Args:
        request: ``mib``.

    Returns:
        Figures of the child, see `_write_and_explain`.
    """
    scan_mix(build_mix(1))
    with harness.prepared("frozen", "mix", {"reshare": "never"}) as arena:
        roots = build_mix(request["mib"])
    scan_mix(roots)
    child = harness.Child(lambda: _write_and_explain(arena))
    answer: dict[str, Any] = child.answer()
    child.leave()
    return answer


def _write_and_explain(arena: Any) -> dict[str, Any]:
    """In the child: writes, explains from inside and has itself explained from outside."""
    arena.explain()  # imports
    written = _write(arena)
    inside = []
    found = None
    for _ in range(_ROUNDS):
        begun = time.perf_counter(), time.process_time()
        found = arena.explain(limit=None)
        inside.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    assert found is not None
    begun_at = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "frozen_arena", "explain", str(os.getpid()), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    outside = time.perf_counter() - begun_at
    lanes = arena.sharing().lanes.values()
    return {
        "arena_mib": sum(lane.os_pages * lane.os_page_bytes for lane in lanes) / memory.MIB,
        "written_os_pages": written,
        "private_os_pages": found.private_os_pages,
        "words": found.words,
        "unknown_words": found.unknown_words,
        "seconds": [wall for wall, _ in inside],
        "cpu_seconds": [cpu for _, cpu in inside],
        "outside_seconds": outside,
        "outside_words": json.loads(done.stdout)["words"],
    }


def _write(arena: Any) -> int:
    """Writes to every hundredth OS page that holds anything; how many.

    The last byte of an aligned word of an OS page that is not zero throughout, and back to what the
    object can live with: nothing uses the data afterwards.
    """
    count = 0
    for lane in ("objects", "payload"):
        for begin, size in _mapped(lane):
            for place, page in enumerate(range(begin, begin + size, 4096 * _SHARE)):
                at = page + place * _STEP % 4096 // 8 * 8
                ctypes.c_uint8.from_address(at).value ^= 0x5A
                count += 1
    return count


def _mapped(lane: str) -> list[tuple[int, int]]:
    """(address, bytes) of what a lane has in memory, without what was given back at the seal."""
    from frozen_arena.explaining.explanation import own_process

    process, directory = own_process()
    with process:
        return [
            run
            for arena in directory.arenas
            for extent in arena.extents
            if extent.lane == lane
            for run in extent.live_runs(process.os_page, longest=extent.size)
        ]


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs it once and fills the table."""
    mib = arguments.mib or (_QUICK_MIB if arguments.quick else _MIB)
    result = harness.Result(
        f"Explaining {mib:g} MiB of which a child has copied one OS page in {_SHARE}",
        ["from", "arena MiB", "private OS pages", "words", "unknown", "seconds", "CPU seconds"],
    )
    inside = outside = None
    if harness.package_version() is not None:
        answer = harness.fresh(MODULE, {"mib": mib})
        inside, outside = min(answer["seconds"]), answer["outside_seconds"]
        common = [answer["arena_mib"], answer["private_os_pages"]]
        unknown = answer["unknown_words"]
        cpu = min(answer["cpu_seconds"])
        result.rows.append(["inside", *common, answer["words"], unknown, inside, cpu])
        result.rows.append(["outside", *common, answer["outside_words"], None, outside, None])
        result.data.append(answer)
        result.notes.append(
            f"inside: the best of {_ROUNDS}; outside: with the start of the command"
        )
    obstacles = (harness.no_package(), harness.too_small(mib < _MIB))
    result.bounds += [
        harness.bound("seconds inside", inside, _MAX_SECONDS, *obstacles),
        harness.bound("seconds outside", outside, _MAX_SECONDS, *obstacles),
    ]
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=float, help="size of the data, 1024 by default")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
