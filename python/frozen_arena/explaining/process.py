"""`Process`: the memory of a process, the own one or another, read through ``/proc``.

Reading stops nobody and loads nothing into the process (proc(5): ``/proc/PID/mem``, ``pagemap``).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

__all__ = ["Mapping", "NotReadable", "Process"]

_WORD = 8
_PRESENT = 1 << 63
_SWAPPED = 1 << 62
_OF_THE_FILE = 1 << 61
_HIGHEST = 1 << 47
_LARGEST = 1 << 32  # bytes of one reading: more is asked for by what is damaged
_PAGEMAP_BATCH = 1 << 16


class NotReadable(Exception):
    """Memory that is not there, or that this process may not read."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """A line of ``/proc/PID/maps``."""

    start: int
    end: int
    permissions: str
    path: str


class Process:
    """Reads the memory of one process.

    Args:
        pid: which process; None is the calling one.

    Raises:
        OSError: ``/proc`` is not mounted, the process is gone, or may not be read.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid
        self._folder = Path("/proc/self" if pid is None else f"/proc/{pid}")
        self.os_page = os.sysconf("SC_PAGE_SIZE")
        self._memory = os.open(self._folder / "mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._pagemap = os.open(self._folder / "pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(self._memory)
            raise
        self._kept: dict[int, bytes] = {}

    def close(self) -> None:
        """Lets go of the process."""
        os.close(self._memory)
        os.close(self._pagemap)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at `address`, as they are now.

        Raises:
            NotReadable: not all of it is mapped.
        """
        if not 0 < address < _HIGHEST or not 0 <= size <= _LARGEST:
            raise NotReadable(f"{size} bytes at {address:#x}")
        try:
            found = os.pread(self._memory, size, address)
        except OSError as error:
            raise NotReadable(f"{size} bytes at {address:#x}: {error.strerror}") from error
        if len(found) != size:
            raise NotReadable(f"{size} bytes at {address:#x}: {len(found)} could be read")
        return found

    def peek(self, address: int, size: int) -> bytes:
        """As `read`, but what was read once is kept: for what does not change, such as types."""
        if not 0 < address < _HIGHEST or size < 0:
            raise NotReadable(f"{size} bytes at {address:#x}")
        page = address - address % self.os_page
        if address + size <= page + self.os_page:
            kept = self._kept.get(page)
            if kept is None:
                kept = self._kept[page] = self.read(page, self.os_page)
            return kept[address - page : address - page + size]
        return self.read(address, size)

    def word(self, address: int, size: int = _WORD) -> int:
        """The unsigned number of `size` bytes at `address`; kept, as in `peek`."""
        return int.from_bytes(self.peek(address, size), "little")

    def text(self, address: int, longest: int = 200) -> str:
        """The C string at `address`; kept."""
        found = b""
        while len(found) < longest:
            step = self.os_page - (address + len(found)) % self.os_page
            piece, end, _ = self.peek(address + len(found), min(step, longest)).partition(b"\0")
            found += piece
            if end:
                break
        return found.decode("utf-8", "replace")

    def private_os_pages(self, address: int, size: int) -> list[int]:
        """Addresses of the OS pages in a range that this process has copied, ascending.

        Raises:
            NotReadable: pagemap cannot be read.
        """
        found: list[int] = []
        first, last = address // self.os_page, (address + size) // self.os_page
        for begin in range(first, last, _PAGEMAP_BATCH):
            count = min(_PAGEMAP_BATCH, last - begin)
            try:
                raw = os.pread(self._pagemap, count * _WORD, begin * _WORD)
            except OSError as error:
                raise NotReadable(f"pagemap: {error.strerror}") from error
            found += [
                (begin + place) * self.os_page
                for place, entry in enumerate(memoryview(raw).cast("Q"))
                if entry & (_PRESENT | _SWAPPED) and not entry & _OF_THE_FILE
            ]
        return found

    def maps(self) -> list[Mapping]:
        """The mappings of the process, ascending.

        Raises:
            NotReadable: they cannot be read, because the process is gone or by its rights.
        """
        try:
            lines = (self._folder / "maps").read_text(errors="surrogateescape").splitlines()
        except OSError as error:
            raise NotReadable(f"maps: {error.strerror or errno.errorcode[errno.EIO]}") from error
        found = []
        for line in lines:
            where, permissions, _offset, _device, _inode, *path = line.split(maxsplit=5)
            start, _, end = where.partition("-")
            name = path[0] if path else ""
            found.append(Mapping(int(start, 16), int(end, 16), permissions, name))
        return found
