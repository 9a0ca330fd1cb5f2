"""A frozen arena, without options."""

from __future__ import annotations

from pathlib import Path

from bench import harness
from bench.peers import OBJECTS, Open, Peer, objects_reader
from bench.records import Records


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records, built in a block."""
    from frozen_arena import frozen_arena

    with frozen_arena("records"):
        data = dict(enumerate(records))
    return lambda: objects_reader(data)


def _obstacle() -> str:
    return "" if harness.package_version() else "arenas do not work in this interpreter"


PEER = Peer(
    "frozen arena",
    OBJECTS,
    hold,
    types_lost="none",
    code_changed="a with block around the loading",
    obstacle=_obstacle,
)
