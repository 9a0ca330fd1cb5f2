"""`frozen_arena.optout`: existing objects where they are, with their reference counts off."""

from __future__ import annotations

from pathlib import Path

from bench import harness
from bench.peers import OBJECTS, Open, Peer, Reader, objects_reader
from bench.records import Records


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records, built as usual and opted out."""
    import frozen_arena

    data = dict(enumerate(records))
    opted_out = frozen_arena.optout(data)

    def open_in_worker() -> Reader:
        _ = opted_out
        return objects_reader(data)

    return open_in_worker


def _obstacle() -> str:
    if not harness.package_version():
        return "frozen arena does not work in this interpreter"
    there, reason = harness.NO_IMMORTALS
    if there:
        return reason
    import frozen_arena

    return "" if hasattr(frozen_arena, "optout") else "this version of frozen arena has no optout"


PEER = Peer(
    "optout",
    OBJECTS,
    hold,
    types_lost="none",
    code_changed="a call before the fork",
    obstacle=_obstacle,
)
