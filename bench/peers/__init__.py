"""What a user could pick instead of an arena, one adapter a file, all behind the same few calls.

A scenario takes a `Peer`, has the parent `hold` some `Records` with it, forks, and in each worker
asks the holder for a `Reader`. An adapter imports its library inside its functions: a peer that is
missing is left out, with a line that says how to install it.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.records import Record, Records

OBJECTS, PACKED = "ordinary objects", "packed"


@dataclass(frozen=True, slots=True)
class Reader:
    """How a worker looks something up.

    Attributes:
        record: The whole record of a number, as a dict.
        value: One value: of a record's number and a field's name.
    """

    record: Callable[[int], Record]
    value: Callable[[int, str], Any]


Open = Callable[[], Reader]
"""Called in each worker, after the fork."""


@contextlib.contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to let workers read the same records.

    Attributes:
        name: As in tables and results.
        form: `OBJECTS` where the data stays ordinary Python objects, `PACKED` where not.
        hold: Run in the parent: takes the records and a folder for files, returns what workers
            open. Everything that it needs stays alive through what it returns.
        types_lost: What does not come back as it went in.
        code_changed: What the user has to write or rewrite.
        needs: Distributions that must be importable.
        obstacle: Why it cannot run here and what to do about it, or nothing.
        machine: A block around the whole tree, in the process that the user started; for what a
            peer needs of the kernel.
        settle: Waits until what goes on while nobody reads has come to its end, where there is
            such a thing.
    """

    name: str
    form: str
    hold: Callable[[Records, Path], Open]
    types_lost: str
    code_changed: str
    needs: tuple[str, ...] = ()
    obstacle: Callable[[], str] = str
    machine: Callable[[], contextlib.AbstractContextManager[Any]] = _as_it_is
    settle: Callable[[], Any] | None = None

    @property
    def missing(self) -> str:
        """Why this peer is left out and how to bring it in; empty when it can run."""
        if obstacle := self.obstacle():
            return obstacle
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"not installed: pip install {' '.join(absent)}" if absent else ""


def objects_reader(data: dict[int, Record]) -> Reader:
    """The reader of ordinary objects: the dict itself, without a call in between."""

    def value(number: int, field: str) -> Any:
        return data[number][field]

    return Reader(data.__getitem__, value)


def record_reader(record: Callable[[int], Record]) -> Reader:
    """The reader of a form that gives whole records only: one value costs a whole record."""

    def value(number: int, field: str) -> Any:
        return record(number)[field]

    return Reader(record, value)


_MODULES = (
    "stock",
    "gc_freeze",
    "arena",
    "optout_in_place",
    "cinderx_heap",
    "page_merging",
    "numpy_pickle",
    "shared_block",
    "lmdb_store",
    "sqlite_table",
    "arrow_table",
    "ray_store",
)

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (import_module(f"bench.peers.{module}").PEER for module in _MODULES)
}
"""Every peer by its name, ordinary objects first."""


def read_all(reader: Reader, records: Records) -> None:
    """Looks every record up once and visits every value."""
    look_up = reader.record
    for number in range(records.count):
        for _ in look_up(number).values():
            pass
