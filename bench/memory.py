"""What a process tree really occupies, read from /proc without root.

Words: *PSS* is the kernel's proportional share of each OS page, so that the sum over a tree counts
every page once. *Own bytes* of a process are those that only it holds: private pages of ordinary
mappings, and in a memfd mapping the anonymous pages, which are the copies. (A memfd page that only
one process has mapped is `Private` for the kernel although it is the shared original, so
`Private_Dirty` is not the measure there.)
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

OS_PAGE = mmap.PAGESIZE
MIB = 2**20

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


@dataclass(slots=True)
class Mapping:
    """One mapping of /proc/PID/smaps; figures in bytes, by the kernel's names."""

    start: int
    end: int
    permissions: str
    offset: int
    inode: int
    path: str
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def is_memfd(self) -> bool:
        """Whether a memfd lies behind it (arenas do; they have no other file)."""
        return self.path.startswith("/memfd:")

    @property
    def own_bytes(self) -> int:
        """Bytes of this mapping that nobody else holds."""
        if self.is_memfd:
            return self.figures["Anonymous"]
        return self.figures["Private_Dirty"]


def mappings(pid: int | str = "self") -> Iterator[Mapping]:
    """Yields the mappings of a process with their smaps figures."""
    current: Mapping | None = None
    with Path(f"/proc/{pid}/smaps").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split(maxsplit=5)
            if words[0].endswith(":"):
                if current is not None and words[-1] == "kB":
                    current.figures[words[0][:-1]] = int(words[1]) * 1024
                continue
            if current is not None:
                yield current
            start, end = (int(part, 16) for part in words[0].split("-"))
            path = words[5].strip() if len(words) > 5 else ""
            current = Mapping(start, end, words[1], int(words[2], 16), int(words[4]), path)
    if current is not None:
        yield current


def own_bytes(pid: int | str = "self") -> int:
    """Bytes that only this process holds."""
    return sum(mapping.own_bytes for mapping in mappings(pid))


def pss(pid: int | str = "self") -> int:
    """Proportional share of one process, in bytes."""
    return _rollup(pid)["Pss"]


def tree_pss(pids: Iterable[int]) -> int:
    """Sum of the proportional shares; every OS page of the tree counts once."""
    return sum(pss(pid) for pid in pids)


def family(pid: int) -> list[int]:
    """A process and all that it and its children have started, as far as they are its children."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(folder.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def shares(pids: Iterable[int | str], folder: str) -> dict[str, int]:
    """What processes occupy together, by proportional shares, in bytes.

    Args:
        pids: Processes that do not end meanwhile.
        folder: Where the files of the data lie.

    Returns:
        ``pss``, everything; and of it ``anonymous`` memory, ``shared`` memory without a file on a
        disk (memfd among it), and mapped ``files`` of that folder. What is missing in the sum of
        the three are programs and libraries.
    """
    found = dict.fromkeys(("pss", "anonymous", "shared", "files"), 0)
    for pid in pids:
        rolled_up = _rollup(pid)
        found["pss"] += rolled_up["Pss"]
        found["anonymous"] += rolled_up["Pss_Anon"]
        found["shared"] += rolled_up["Pss_Shmem"]
        found["files"] += sum(
            mapping.figures["Pss"] for mapping in mappings(pid) if mapping.path.startswith(folder)
        )
    return found


def _rollup(pid: int | str) -> dict[str, int]:
    """The sums over all mappings of a process, by the kernel's names, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    words = [line.split() for line in lines]
    return {word[0][:-1]: int(word[1]) * 1024 for word in words}


def resident_bytes() -> int:
    """Bytes of memory behind the calling process, touched through its own mappings or not.

    Ordinary mappings count by RSS. Memfd mappings count by what the file has in the page cache,
    once per page however often it is mapped, plus the private copies: after a seal nothing of the
    file is in the page tables until somebody reads it, and RSS would miss it.
    """
    total = 0
    files: dict[int, bytearray] = {}  # by inode: one byte per page, 1 where it is in memory
    for mapping in mappings():
        if mapping.is_memfd:
            _mark_cached_pages(mapping, files.setdefault(mapping.inode, bytearray()))
            total += mapping.figures["Anonymous"]
        else:
            total += mapping.figures["Rss"]
    return total + sum(pages.count(1) for pages in files.values()) * OS_PAGE


def _mark_cached_pages(mapping: Mapping, pages: bytearray) -> None:
    """Enters in `pages` which pages of the file behind `mapping` are in memory."""
    count = (mapping.end - mapping.start) // OS_PAGE
    first = mapping.offset // OS_PAGE
    present = (ctypes.c_ubyte * count)()
    if _libc.mincore(mapping.start, mapping.end - mapping.start, present) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    pages.extend(bytes(max(0, first + count - len(pages))))
    pages[first : first + count] = bytes(present)


def warm(amount: int) -> None:
    """Touches `amount` bytes of free memory and gives them back, right before a time is taken.

    On a virtual machine the first touch of a guest page goes to the host; a machine that reports
    free pages to its host (``page_reporting``) pays that again for every 2 MiB page that was free
    for some seconds. Who is measured first, or takes whole 2 MiB pages, would pay for all.
    """
    with mmap.mmap(-1, amount, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, amount, OS_PAGE):
            block[offset] = 1


def huge_page_gain() -> float | None:
    """Time of random reads in huge pages, x that in OS pages of the usual size; None without NumPy.

    A virtual machine whose own memory is not in huge pages on its host has nothing of its guests'.
    """
    if importlib.util.find_spec("numpy") is None:
        return None
    import numpy

    size = 256 * MIB
    places = numpy.random.default_rng(1).integers(0, size // 8, 2_000_000)
    seconds: dict[int, list[float]] = {mmap.MADV_HUGEPAGE: [], mmap.MADV_NOHUGEPAGE: []}
    with contextlib.ExitStack() as stack:
        words = {}
        for advice in seconds:
            block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            stack.callback(block.close)
            block.madvise(advice)
            words[advice] = numpy.frombuffer(block, numpy.uint64)
            for offset in range(0, size, OS_PAGE):
                block[offset] = 1
        for _ in range(9):
            for advice, taken in seconds.items():
                start = time.perf_counter()
                words[advice].take(places).sum()
                taken.append(time.perf_counter() - start)
        words.clear()
    return median(seconds[mmap.MADV_HUGEPAGE]) / median(seconds[mmap.MADV_NOHUGEPAGE])


def available_memory() -> int:
    """Memory the kernel can hand out now without swapping, in bytes."""
    import psutil  # here, so that the trees, which never ask, do not load it

    return int(psutil.virtual_memory().available)
