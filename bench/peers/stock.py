"""Stock: the parent builds, forks, and that is all."""

from __future__ import annotations

from pathlib import Path

from bench.peers import OBJECTS, Open, Peer, objects_reader
from bench.records import Records


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records."""
    data = dict(enumerate(records))
    return lambda: objects_reader(data)


PEER = Peer("stock", OBJECTS, hold, types_lost="none", code_changed="none")
