"""Random blocks, forks, threads and reloads for a bounded time; what is left over must not grow.

    python -m tests.soak --seconds 7200 --seed 1

The parent makes blocks that leave nothing behind (abandoned, or with nothing frozen, whose data is
dropped) and forks generations. A generation loads, freezes, seals, serves from children of its own,
and ends, as a service does that is reloaded. After each round the parent counts its memory (PSS),
its mappings, descriptors and threads, and every arena is audited: in builds with FZA_AUDIT each
sealed OS page against its checksum. Prints a line a tenth of the time; exit status 1 when one of
the four was higher in the last third than it ever was in the second.
"""

from __future__ import annotations

import argparse
import collections
import gc
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import frozen_arena as fa
from frozen_arena import frozen_arena

# What may be more at one moment than at another without growing: free memory that the heap keeps.
SLACK = {"pss_kib": 4096, "mappings": 16, "descriptors": 0, "threads": 0}

COUNTS: collections.Counter[str] = collections.Counter()


class Node:
    """A cycle, for the collector."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.me = self


def build(chance: random.Random) -> list[Any]:
    """Data of a random shape, up to some MB, with garbage and holes left behind."""
    count = chance.choice((1, 50, 2000, 10_000))
    kind = chance.randrange(5)
    if kind == 0:
        data: list[Any] = [{f"key-{n}": [str(n), n / 7]} for n in range(count)]
    elif kind == 1:
        data = [Node((n, f"text {n}")) for n in range(count)]
    elif kind == 2:
        data = [
            bytes([n % 256]) * chance.choice((10, 700, 5000, 60_000)) for n in range(count // 20)
        ]
    elif kind == 3:
        data = [bytearray(chance.choice((1, 1 << 20, 40 << 20)))]
    else:
        data = [frozenset((n, str(n))) for n in range(count)]
    del data[: len(data) // 3]
    return data


def audit() -> None:
    for arena in fa.arenas():
        broken = arena._handle.audit()
        assert broken is None, f"{arena}: {broken}"


def abandoned_block(chance: random.Random) -> None:
    try:
        with frozen_arena("abandoned"):
            build(chance)
            raise LookupError
    except LookupError:
        COUNTS["blocks abandoned"] += 1


def mortal_block(chance: random.Random) -> None:
    with frozen_arena("mortal", keep_mortal=lambda _: True, reshare="never"):
        data = build(chance)
    audit()
    data.clear()
    COUNTS["blocks of mortals"] += 1


def threads(chance: random.Random) -> None:
    seeds = [chance.random() for _ in range(4)]
    started = [
        threading.Thread(target=lambda seed=seed: abandoned_block(random.Random(seed)))
        for seed in seeds
    ]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    COUNTS["threads"] += len(started)


def fork_in_a_block(chance: random.Random) -> None:
    with frozen_arena("forked", keep_mortal=lambda _: True, reshare="never"):
        data = build(chance)
        wait_for(fork(lambda: (gc.collect(), audit())))
        data += build(chance)
    wait_for(fork(lambda: (data.clear(), gc.collect())))


def generation(chance: random.Random) -> None:
    wait_for(fork(lambda: live_as_generation(chance)))
    COUNTS["generations"] += 1


def live_as_generation(chance: random.Random) -> None:
    if chance.random() < 0.3:
        fa.activate(min_new=1)
        data = build(chance)  # frozen by the first fork
    else:
        with frozen_arena("generation", threads=chance.choice(("current", "all"))):
            data = build(chance)
    expected = repr(data[:20])
    children = [fork(lambda: serve(data, expected)) for _ in range(3)]
    for child in children:
        wait_for(child)
    assert repr(data[:20]) == expected
    audit()


def serve(data: list[Any], expected: str) -> None:
    for _ in range(3):
        assert repr(data[:20]) == expected
        gc.collect()
        fa.reshare()
    audit()
    data.clear()
    gc.collect()
    audit()


def fork(body: Callable[[], object]) -> int:
    COUNTS["forks"] += 1
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        leave_after(body)
    return pid


def leave_after(body: Callable[[], object]) -> NoReturn:
    try:
        body()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def wait_for(pid: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, f"a child ended with {code}"


def measure() -> dict[str, int]:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    pss = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    with Path("/proc/self/maps").open() as maps:
        mappings = sum(1 for _ in maps)
    descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return {
        "pss_kib": pss,
        "mappings": mappings,
        "descriptors": descriptors,
        "threads": threading.active_count(),
    }


def grown(samples: list[dict[str, int]]) -> list[str]:
    third = len(samples) // 3
    found = []
    for name, slack in SLACK.items():
        before = max(sample[name] for sample in samples[third : 2 * third])
        after = max(sample[name] for sample in samples[2 * third :])
        if after > before + slack:
            found.append(f"{name}: {after} in the last third, at most {before} in the second")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    kinds = [abandoned_block, mortal_block, threads, fork_in_a_block, generation]
    samples: list[dict[str, int]] = []
    begin = time.monotonic()
    told = 0
    while (passed := time.monotonic() - begin) < arguments.seconds or len(samples) < 30:
        chance.choice(kinds)(chance)
        audit()
        gc.collect()
        samples.append(measure())
        if passed >= told * arguments.seconds / 10:
            told += 1
            print(f"{passed:6.0f} s, {len(samples)} rounds: {samples[-1]}", flush=True)
    found = grown(samples)
    done = ", ".join(f"{count} {name}" for name, count in sorted(COUNTS.items()))
    print(f"{len(samples)} rounds: {done}; {len(SLACK) - len(found)} passed, {len(found)} failed")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
