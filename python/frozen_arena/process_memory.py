"""What a process takes, seen from outside: `/proc/PID/smaps`, summed up once.

Works for processes of any interpreter, this one included. The memory of arenas is known by the
names of their files (`kFileNames` in `arena/lane.cc`), so that nothing needs to run in the process
that is looked at. What an arena has copied is `Anonymous` and `Swap` of a private mapping of a
file (Linux, Documentation/filesystems/proc.rst): what `/proc/PID/pagemap` says bit by bit,
`Sharing` included, at a fraction of the cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from frozen_arena.ledger import mib

__all__ = ["LaneMemory", "ProcessMemory", "has_arena", "read_memory"]

_LANES: Final = ("objects", "payload")
_FILE: Final = "/memfd:frozen-arena:"
_HEAD: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \S+ *(.*)")


@dataclass(frozen=True, slots=True)
class LaneMemory:
    """Sealed memory of one lane in one process, in bytes: ``mapped == shared + private``.

    Attributes:
        mapped: of the lane's private mappings, all sealed arenas together.
        shared: still that of the file, or never touched by this process.
        private: copied by this process, because something wrote there.
        building: of arenas that are not sealed yet; not part of the others.
    """

    mapped: int = 0
    shared: int = 0
    private: int = 0
    building: int = 0

    def __str__(self) -> str:
        return f"{mib(self.shared)} shared + {mib(self.private)} private = {mib(self.mapped)}"


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Memory of one process, in bytes.

    Attributes:
        rss: everything that its page tables show, memory of others included.
        pss: the same, each OS page divided by the number of processes that map it.
        uss: what no other process maps.
        lanes: by lane; empty for a process without an arena.
        own: what would be free without this process: `uss` without OS pages of arenas that it maps
            alone and has not copied.
    """

    rss: int
    pss: int
    uss: int
    lanes: dict[str, LaneMemory]
    own: int

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts and numbers, ready for JSON."""
        return asdict(self)


def read_memory(pid: int) -> ProcessMemory:
    """Reads the memory of a process.

    Raises:
        FileNotFoundError, ProcessLookupError: there is no such process, or it has just ended.
        PermissionError: it is another user's, or may not be looked at (ptrace rules).
    """
    with _proc(pid, "smaps").open(encoding="utf-8", errors="replace") as lines:
        return _sum_up(lines)


def has_arena(pid: int) -> bool:
    """Whether a process maps an arena; False for those that may not be looked at or are gone."""
    try:
        return _FILE in _proc(pid, "maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _proc(pid: int, name: str) -> Path:
    return Path(f"/proc/{pid}/{name}")


def _sum_up(lines: Iterable[str]) -> ProcessMemory:
    total = dict.fromkeys(("Rss", "Pss", "Private_Clean", "Private_Dirty"), 0)
    merely_mapped = 0
    lanes: dict[str, list[int]] = {}
    mapping: dict[str, int] = {}
    mode = name = ""
    for line in lines:
        field, colon, value = line.partition(":")
        if not colon or " " in field:  # the first line of the next mapping
            head = _HEAD.match(line)
            mode, name = (head[1], head[2]) if head else ("", "")
            mapping = {}
        elif field == "VmFlags":  # the last line of a mapping
            _add(lanes, mode, name, mapping, value.split())
            if name.startswith(_FILE):
                alone = mapping.get("Private_Clean", 0) + mapping.get("Private_Dirty", 0)
                merely_mapped += max(0, alone - mapping.get("Anonymous", 0))
        elif value.endswith("kB\n"):
            mapping[field] = size = int(value[:-3]) * 1024
            if field in total:
                total[field] += size
    uss = total["Private_Clean"] + total["Private_Dirty"]
    return ProcessMemory(
        total["Rss"],
        total["Pss"],
        uss,
        {
            lane: LaneMemory(mapped, mapped - private, private, building)
            for lane, (mapped, private, building) in sorted(lanes.items())
        },
        uss - merely_mapped,
    )


def _add(
    lanes: dict[str, list[int]], mode: str, name: str, mapping: dict[str, int], flags: list[str]
) -> None:
    """Adds a mapping to its lane, if it is one of an arena."""
    lane = name.removeprefix(_FILE).removesuffix(" (deleted)")
    if not name.startswith(_FILE) or lane not in _LANES:
        return
    sums = lanes.setdefault(lane, [0, 0, 0])
    if mode.endswith("s"):
        sums[2] += mapping["Size"]
    elif "dd" not in flags:  # with it: the pristine mapping, which core dumps leave out
        sums[0] += mapping["Size"]
        sums[1] += mapping.get("Anonymous", 0) + mapping.get("Swap", 0)
