"""A memory cgroup of our own around a process tree: the kernel's second count of the same memory.

PSS is read from page tables; a cgroup is charged when a page is allocated, mapped or not. The two
know nothing of each other, so a tree whose counts agree is measured right. Both versions of the
hierarchy are understood; where no group can be made (no root, no controller) there is none.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

_TIME_LIMIT = 10.0  # seconds that the last process may take to end


class MemoryGroup:
    """One cgroup, empty at first; processes join it by starting through `wrapped`."""

    def __init__(self, folder: str, version: int) -> None:
        """Takes the `address` of a group that was made already."""
        self._folder = Path(folder)
        self._version = version

    @property
    def address(self) -> tuple[str, int]:
        """What leads to this group from another process."""
        return str(self._folder), self._version

    @property
    def doors(self) -> str:
        """The file to which a process writes its id to join."""
        return str(self._folder / "cgroup.procs")

    def charged(self) -> dict[str, int]:
        """What the group is charged now, in bytes.

        Returns:
            ``charged_anonymous``, private memory and copies of OS pages; ``charged_shared``, memfd
            (arenas) and shared memory; ``charged_files``, the page cache of files that the group
            was the first to read or write.
        """
        text = (self._folder / "memory.stat").read_text(encoding="ascii")
        found = {name: int(amount) for name, amount in re.findall(r"^(\w+) (\d+)$", text, re.M)}
        names = ("anon", "shmem", "file")
        if self._version == 1:
            names = ("total_rss", "total_shmem", "total_cache")
        anonymous, shared, cached = (found[name] for name in names)
        return {
            "charged_anonymous": anonymous,
            "charged_shared": shared,
            "charged_files": cached - shared,  # the cache counts both
        }

    def total(self) -> int:
        """All that the group is charged now, kernel memory included, in bytes."""
        return self._amount("memory.usage_in_bytes", "memory.current")

    def peak(self) -> int:
        """The most that it was ever charged, or since `forget_peak` where the kernel can."""
        return self._amount("memory.max_usage_in_bytes", "memory.peak")

    def forget_peak(self) -> None:
        """Starts the peak again; in version 2 that takes an open file, and the peak is for good."""
        if self._version == 1:
            (self._folder / "memory.max_usage_in_bytes").write_text("0")

    def _amount(self, *names: str) -> int:
        return int((self._folder / names[self._version - 1]).read_text())


@contextlib.contextmanager
def memory_group(name: str) -> Iterator[MemoryGroup | None]:
    """Makes a group for as long as the block lasts; all its processes must have ended by then.

    Yields:
        The group, or None where none may be made.
    """
    made = _make(f"{name}-{os.getpid()}")
    try:
        yield MemoryGroup(*made) if made else None
    finally:
        if made:
            folder = Path(made[0])
            _wait_until_empty(folder / "cgroup.procs")
            folder.rmdir()


def _wait_until_empty(processes: Path) -> None:
    """Returns when the last process has ended, or when it takes too long."""
    end = time.monotonic() + _TIME_LIMIT
    while processes.read_text() and time.monotonic() < end:
        time.sleep(0.01)


def _make(name: str) -> tuple[str, int] | None:
    """A new group below the one of this process, and the version of its hierarchy."""
    for version, root, own in _hierarchies():
        for parent in (root / own.lstrip("/"), root):
            folder = parent / name
            with contextlib.suppress(OSError):
                folder.mkdir()
                if (folder / "memory.stat").exists() and os.access(
                    folder / "cgroup.procs", os.W_OK
                ):
                    return str(folder), version
                folder.rmdir()
    return None


def _hierarchies() -> Iterator[tuple[int, Path, str]]:
    """Where memory may be controlled: version, mount point, and the group of this process."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, group = line.split(":", 2)
        own[controllers] = group
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4])
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            yield 2, point, own.get("", "/")
        elif kind == "cgroup" and "memory" in options.split(","):
            yield 1, point, own.get("memory", "/")
