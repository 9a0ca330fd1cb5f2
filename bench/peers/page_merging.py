"""Kernel same-page merging: the process asks for it with PR_SET_MEMORY_MERGE (Linux 6.4).

The kernel compares the contents of OS pages in the background and keeps one of those that are the
same, so what was copied by reading comes together again while nobody reads. It must be running,
which takes root: the block around the tree switches it on, at a pace of 5,000 OS pages a scan since
the default of 100 merges next to nothing in a minute, and puts back what was there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.peers import OBJECTS, Open, Peer, objects_reader
from bench.records import Records

_FOLDER = Path("/sys/kernel/mm/ksm")
_SETTINGS = {"pages_to_scan": "5000", "run": "1"}
_PR_SET_MEMORY_MERGE = 67  # linux/prctl.h
_PR_GET_MEMORY_MERGE = 68
_SCANS = 3  # a content is merged in the second scan that sees it unchanged
_TIME_LIMIT = 600.0  # seconds that the scans may take; on a quiet machine it is a few


def _prctl(option: int, argument: int) -> int:
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0))


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records in a process whose OS pages may be merged."""
    if _prctl(_PR_SET_MEMORY_MERGE, 1) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    data = dict(enumerate(records))
    return lambda: objects_reader(data)


def _obstacle() -> str:
    if not _FOLDER.is_dir() or _prctl(_PR_GET_MEMORY_MERGE, 0) < 0:
        return "the kernel cannot: Linux 6.4 or newer with CONFIG_KSM is needed"
    running = (_FOLDER / "run").read_text().strip() == "1"
    if not running and not os.access(_FOLDER / "run", os.W_OK):
        return "as root: echo 1 > /sys/kernel/mm/ksm/run"
    return ""


@contextlib.contextmanager
def _running() -> Iterator[None]:
    """Has the kernel merge at a good pace for as long as the block lasts, where we may."""
    before = {name: (_FOLDER / name).read_text() for name in _SETTINGS}
    may = all(os.access(_FOLDER / name, os.W_OK) for name in _SETTINGS)
    try:
        for name, text in _SETTINGS.items() if may else ():
            (_FOLDER / name).write_text(text)
        yield
    finally:
        for name, text in before.items() if may else ():
            (_FOLDER / name).write_text(text)


def _settle() -> None:
    """Waits until the kernel has scanned everything some times more."""
    scans = _FOLDER / "full_scans"
    enough = int(scans.read_text()) + _SCANS
    end = time.monotonic() + _TIME_LIMIT
    while int(scans.read_text()) < enough:
        if time.monotonic() > end:
            message = f"the kernel made fewer than {_SCANS} scans in {_TIME_LIMIT:g} s"
            raise TimeoutError(message)
        time.sleep(0.1)


PEER = Peer(
    "page merging",
    OBJECTS,
    hold,
    types_lost="none",
    code_changed="a prctl before the loading, the kernel's scanner switched on by root",
    obstacle=_obstacle,
    machine=_running,
    settle=_settle,
)
