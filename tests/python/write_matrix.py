"""What a reading worker writes: pairs of an object and an operation, and how one pair is measured.

Each object lies alone in a sealed arena of its own; a forked child performs the operation; then the
OS pages that the child has copied are counted. A pair either copies nothing or carries a ``Writes``
that says why, and in which versions. Run as a script it prints a table for the running interpreter.

On 3.11 reading an object writes its count, so there the measure is what stays different once the
reader is done: payload OS pages copied, and OS pages of the objects lane whose content has changed.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import json
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import forking

Version = tuple[int, int]
HERE: Version = (sys.version_info[0], sys.version_info[1])
DEBUG_BUILD = hasattr(sys, "gettotalrefcount")
REPEATS = 64  # code specialises after some 16 runs, and a worker reads more than once
BATCH = 24  # pairs to a fresh process: few enough that one crash says where it was


@dataclasses.dataclass(frozen=True, slots=True)
class Writes:
    """Why a pair copies, in versions ``since <= version < before``."""

    reason: str
    since: Version = (3, 11)
    before: Version = (4, 0)
    in_debug_builds: bool = True

    def applies_to(self, version: Version) -> bool:
        if DEBUG_BUILD and not self.in_debug_builds:
            return False
        return self.since <= version < self.before


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """One object, built in a block, and one operation on it."""

    object: str
    operation: str
    build: Callable[[], Any]
    operate: Callable[[Any], Any]
    writes: tuple[Writes, ...] = ()
    block: tuple[tuple[str, Any], ...] = ()  # keywords of the block

    @property
    def name(self) -> str:
        return f"{self.object}: {self.operation}"

    def expected(self, version: Version = HERE) -> Writes | None:
        """The entry that lets this pair copy in ``version``, or None where it must copy nothing."""
        return next((entry for entry in self.writes if entry.applies_to(version)), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What one pair did in one child. Counts are OS pages; offsets are bytes from the object."""

    name: str
    objects: int  # copied in the objects lane, the count's own writes left out on 3.11
    payload: int  # copied in the payload lane
    by_parent: int  # private before the child did anything
    changed_at: tuple[int, ...]  # words of the objects lane that differ, the first few
    mortal: tuple[str, ...]  # types in the arena that stayed mortal, with the reason
    in_arena: bool  # the object itself lies in the arena
    overflow: int  # allocations of the block that went elsewhere
    error: str = ""

    @property
    def copied(self) -> int:
        return self.objects + self.payload


Operation = tuple[str, Callable[[Any], Any]] | tuple[str, Callable[[Any], Any], Writes]


def row(
    object_name: str, build: Callable[[], Any], *operations: Operation, **block: Any
) -> list[Pair]:
    """The pairs of one object: each operation is (name, callable) or (name, callable, Writes)."""
    keywords = tuple(block.items())
    return [
        Pair(object_name, name, build, operate, tuple(writes), keywords)
        for name, operate, *writes in operations
    ]


def all_pairs() -> list[Pair]:
    """Every pair, in the order of the table in the documentation."""
    import write_pairs_containers
    import write_pairs_objects
    import write_pairs_values

    modules = (write_pairs_values, write_pairs_containers, write_pairs_objects)
    return [pair for module in modules for pair in module.PAIRS]


def _lane_around(address: int) -> list[tuple[int, int]]:
    """Begin and end of every private mapping of the file behind ``address``."""
    found: list[tuple[int, int, str]] = []
    mine = ""
    with Path("/proc/self/maps").open(encoding="ascii") as maps:
        for line in maps:
            span, rights, _, device, inode = line.split()[:5]
            first, last = (int(end, 16) for end in span.split("-"))
            if rights == "rw-p":
                found.append((first, last, f"{device} {inode}"))
                if first <= address < last:
                    mine = f"{device} {inode}"
    return [(first, last) for first, last, file in found if file == mine]


def _content(lane: list[tuple[int, int]]) -> bytes:
    return b"".join(ctypes.string_at(first, last - first) for first, last in lane)


def _changed_words(before: bytes, after: bytes) -> list[int]:
    """Offsets of the words that differ, by OS page first because nearly all are equal."""
    words: list[int] = []
    for page in range(0, len(before), mmap.PAGESIZE):
        if before[page : page + mmap.PAGESIZE] != after[page : page + mmap.PAGESIZE]:
            stop = min(page + mmap.PAGESIZE, len(before))
            words += [
                at for at in range(page, stop, 8) if before[at : at + 8] != after[at : at + 8]
            ]
    return words


def _measure(arena: Any, held: list[Any], operate: Callable[[Any], Any]) -> dict[str, Any]:
    """In the child: performs the operation and says what has become private."""
    obj = held[0]
    lane = _lane_around(id(obj))
    before = arena.sharing()
    content = _content(lane)
    for _ in range(REPEATS):
        operate(obj)
    after = arena.sharing()
    changed = _changed_words(content, _content(lane))
    objects, payload = (
        after.lanes[lane].private_os_pages - before.lanes[lane].private_os_pages
        for lane in ("objects", "payload")
    )
    if not forking.HAS_IMMORTAL_OBJECTS:
        objects = len({at // mmap.PAGESIZE for at in changed})
    return {
        "objects": objects,
        "payload": payload,
        "by_parent": before.private_os_pages if forking.HAS_IMMORTAL_OBJECTS else 0,
        "changed_at": [lane[0][0] + at - id(obj) for at in changed[:6]],
    }


def run_pair(pair: Pair) -> Result:
    """Builds the object alone in an arena and measures the operation in a forked child."""
    from frozen_arena import frozen_arena

    held: list[Any] = [
        pair.build()
    ]  # once outside: fills caches of modules, and makes the list's items
    with frozen_arena(pair.name, reshare="never", **dict(pair.block)) as arena:
        held[0] = pair.build()  # into the list, not a local: an old local writes from 3.14 on
    facts = {
        "name": pair.name,
        "mortal": tuple(f"{name}: {reason}" for name, reason, _ in arena.report.mortal_types),
        "in_arena": held[0] in arena,
        "overflow": arena.report.overflow_blocks,
    }
    nothing = {"objects": 0, "payload": 0, "by_parent": 0, "changed_at": ()}
    try:
        measured = forking.fork_and_report(lambda: _measure(arena, held, pair.operate))
    except forking.ChildError as error:
        return Result(**facts, **nothing, error=str(error))
    measured["changed_at"] = tuple(measured["changed_at"])
    return Result(**facts, **measured)


def run_all(pairs: Sequence[Pair] | None = None, *, batch: int = BATCH) -> dict[str, Result]:
    """Measures every pair, a batch to a fresh process. Results by the name of the pair."""
    names = [pair.name for pair in (all_pairs() if pairs is None else pairs)]
    results: dict[str, Result] = {}
    for start in range(0, len(names), batch):
        part = names[start : start + batch]
        finished = forking.run_python(
            "import write_matrix; sys.exit(write_matrix.main(['--only', *sys.argv[1:]]))",
            *part,
            status=None,
            timeout=300,
        )
        rows = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
        for fields in rows:
            results[fields["name"]] = Result(
                **fields
                | {"changed_at": tuple(fields["changed_at"]), "mortal": tuple(fields["mortal"])}
            )
        for name in part:
            results.setdefault(name, Result(name, 0, 0, 0, (), (), False, 0, finished.story()))
    return results


def verdict(pair: Pair, result: Result, version: Version = HERE) -> str:
    """Empty when the result is what the table says, else a sentence about what is not."""
    if result.error:
        return f"{pair.name}: {result.error}"
    if not result.in_arena:
        return f"{pair.name}: the object does not lie in the arena"
    entry = pair.expected(version)
    detail = (
        f"{result.objects} OS pages of the objects lane and {result.payload} of the payload lane, "
        f"words at {list(result.changed_at)}, mortal: {list(result.mortal) or 'nothing'}"
    )
    if entry is None and result.copied:
        return f"{pair.name} copied {detail}"
    if entry is not None and not result.copied:
        return f"{pair.name} copies nothing, but the table says it does: {entry.reason}"
    if result.by_parent:
        return (
            f"{pair.name}: {result.by_parent} OS pages were private before the child did anything"
        )
    return ""


def cell(pair: Pair, result: Result, version: Version = HERE) -> str:
    """What the matrix shows: the count of OS pages, with ``!`` where it was not expected."""
    mark = "!" if verdict(pair, result, version) else ""
    return f"{'error' if result.error else result.copied}{mark}"


def print_results(pairs: Iterable[Pair], results: dict[str, Result]) -> None:
    """A table for people: every pair, what it copied, and why."""
    for pair in pairs:
        result = results[pair.name]
        entry = pair.expected()
        note = verdict(pair, result) or (entry.reason if entry else "")
        print(f"{cell(pair, result):>6}  {pair.name:60} {note.splitlines()[0] if note else ''}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What a reading worker writes, pair by pair.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these pairs, in this process")
    parser.add_argument("--match", default="", help="pairs whose name contains this, in batches")
    parser.add_argument("--list", action="store_true", help="names of the pairs")
    options = parser.parse_args(arguments)
    pairs = [pair for pair in all_pairs() if options.match in pair.name]
    if options.list:
        print("\n".join(pair.name for pair in pairs))
    elif options.only:
        for pair in pairs:
            if pair.name in options.only:
                result = dataclasses.asdict(run_pair(pair))
                os.write(
                    1, f"{json.dumps(result)}\n".encode()
                )  # unbuffered: a crash keeps the rest
    else:
        results = run_all(pairs)
        print_results(pairs, results)
        return int(any(verdict(pair, results[pair.name]) for pair in pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
