"""CinderX: makes every object of the heap immortal before the fork."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.peers import OBJECTS, Open, Peer, objects_reader
from bench.records import Records

_OLDEST = (3, 14)


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records, with the whole heap made immortal."""
    import cinderx

    data = dict(enumerate(records))
    cinderx.immortalize_heap()
    return lambda: objects_reader(data)


def _obstacle() -> str:
    return "" if sys.version_info >= _OLDEST else "it needs CPython 3.14 or newer"


PEER = Peer(
    "CinderX",
    OBJECTS,
    hold,
    types_lost="none",
    code_changed="a call before the fork",
    needs=("cinderx",),
    obstacle=_obstacle,
)
