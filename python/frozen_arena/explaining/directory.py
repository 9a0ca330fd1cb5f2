"""The directory of a process: where its sealed arenas lie and how they are cut into blocks.

The format is that of ``arena/directory.h``; all numbers are 64-bit and little-endian.
"""

from __future__ import annotations

import re
import struct
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import PurePath

from frozen_arena.explaining.process import NotReadable, Process

__all__ = ["Directory", "Extent", "SealedArena", "entry_number", "find_directory"]

_MAGIC = b"frozen arena 1\n\0"
_ROOT = struct.Struct("<16s5Q")
_ENTRY = struct.Struct("<7Q")
_EXTENT_WORDS = 5
_AREA_WORDS = 3
_FORMAT = 1
_MOST_ARENAS = 1_000_000
_OUR_MODULE = re.compile(r"_core\.cpython-.*\.so|_core\.so")
LANES = ("objects", "payload")


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a lane in one piece; `pristine` is 0 where there is nothing to compare with."""

    address: int
    size: int
    pristine: int
    lane: str
    live: bytes | None

    def pristine_of(self, address: int) -> int:
        """Where the byte at `address` can be read as it was at the seal."""
        return self.pristine + address - self.address

    def live_runs(self, os_page: int, longest: int = 1 << 20) -> list[tuple[int, int]]:
        """(address, bytes) of runs of OS pages with live blocks, in pieces of `longest` bytes."""
        count = self.size // os_page
        live = b"\xff" * ((count + 7) // 8) if self.live is None else self.live
        runs: list[tuple[int, int]] = []
        begin = end = 0  # of the run at hand, in OS pages
        most = max(8, longest // os_page)
        for place in range((count + 7) // 8):
            bits = live[place]
            if bits == 0:
                continue
            pages = range(place * 8, min(place * 8 + 8, count))
            for number in (pages[0],) if bits == 0xFF else pages:
                if not bits >> number % 8 & 1:
                    continue
                if number != end or end - begin >= most:
                    if end > begin:
                        runs.append((self.address + begin * os_page, (end - begin) * os_page))
                    begin = number
                end = number + (len(pages) if bits == 0xFF else 1)
        if end > begin:
            runs.append((self.address + begin * os_page, (end - begin) * os_page))
        return runs


class SealedArena:
    """What the directory says of one arena."""

    def __init__(
        self, number: int, complete: bool, extents: list[Extent], areas: array[int]
    ) -> None:
        self.number = number
        self.complete = complete
        self.extents = extents
        self._extent_begins = [extent.address for extent in extents]
        self._area_begins = areas[0::_AREA_WORDS]
        self._area_sizes = areas[1::_AREA_WORDS]
        self._block_sizes = areas[2::_AREA_WORDS]

    def extent_at(self, address: int) -> Extent | None:
        """The extent in which `address` lies."""
        place = bisect_right(self._extent_begins, address) - 1
        if place < 0:
            return None
        extent = self.extents[place]
        return extent if address < extent.address + extent.size else None

    def block_at(self, address: int) -> tuple[int, int] | None:
        """(address, bytes) of the block in which `address` lies, live or free."""
        place = bisect_right(self._area_begins, address) - 1
        if place < 0:
            return None
        begin, size = self._area_begins[place], self._block_sizes[place]
        if address >= begin + self._area_sizes[place]:
            return None
        block = address - (address - begin) % size
        return (block, size) if block + size <= begin + self._area_sizes[place] else None


class Directory:
    """All sealed arenas of a process, oldest first, and the layout of its objects as text."""

    def __init__(self, process: Process, root: int) -> None:
        magic, form, self_, first, note, note_size = _ROOT.unpack(process.read(root, _ROOT.size))
        if magic != _MAGIC or form != _FORMAT:
            raise NotReadable("its arenas are described in a format of another version")
        self.arenas: list[SealedArena] = []
        self.layout = ""
        self._begins: list[int] = []
        self._owners: list[SealedArena] = []
        if self_ != root:
            return
        if note:
            self.layout = process.read(note, note_size).decode()
        at = first
        while at and len(self.arenas) < _MOST_ARENAS:
            arena, at = _arena_at(process, at)
            self.arenas.append(arena)
        self.arenas.reverse()
        places = [(extent.address, arena) for arena in self.arenas for extent in arena.extents]
        places.sort(key=lambda place: place[0])
        self._begins = [address for address, _ in places]
        self._owners = [arena for _, arena in places]

    def arena_at(self, address: int) -> SealedArena | None:
        """The arena in which `address` lies."""
        place = bisect_right(self._begins, address) - 1
        if place < 0:
            return None
        arena = self._owners[place]
        return arena if arena.extent_at(address) is not None else None


def entry_number(process: Process, entry: int) -> int:
    """The number of the arena whose entry lies at `entry`."""
    return int(_ENTRY.unpack(process.read(entry, _ENTRY.size))[1])


def _words(process: Process, address: int, count: int) -> array[int]:
    words = array("Q")
    words.frombytes(process.read(address, count * 8) if count else b"")
    return words


def _arena_at(process: Process, entry: int) -> tuple[SealedArena, int]:
    following, number, complete, extents, extent_count, areas, area_count = _ENTRY.unpack(
        process.read(entry, _ENTRY.size)
    )
    table = _words(process, extents, extent_count * _EXTENT_WORDS)
    found = []
    for place in range(0, len(table), _EXTENT_WORDS):
        address, size, pristine, lane, live = table[place : place + _EXTENT_WORDS]
        if lane >= len(LANES):
            raise NotReadable(f"the directory of its arenas is damaged: lane {lane}")
        bits = None
        if live:
            bits = process.read(live, (size // process.os_page + 63) // 64 * 8)
        found.append(Extent(address, size, pristine, LANES[lane], bits))
    blocks = _words(process, areas, area_count * _AREA_WORDS)
    return SealedArena(number, bool(complete), found, blocks), following


def find_directory(process: Process) -> int:
    """The address of the directory of another process, or 0 when it has not loaded the package."""
    for mapping in process.maps():
        name = PurePath(mapping.path.removesuffix(" (deleted)")).name
        if "w" not in mapping.permissions or not _OUR_MODULE.fullmatch(name):
            continue
        data = process.read(mapping.start, mapping.end - mapping.start)
        place = data.find(_MAGIC)
        while place >= 0:
            root = mapping.start + place
            if len(data) - place >= _ROOT.size:
                self_ = _ROOT.unpack_from(data, place)[2]
                if self_ in (0, root):
                    return root
            place = data.find(_MAGIC, place + 1)
    return 0
