"""`gc.freeze()` as the documentation of CPython's `gc` module advises.

The collector is off in the parent from the start, `gc.freeze` comes right before the forks, and
workers switch the collector on again.
"""

from __future__ import annotations

import gc
from pathlib import Path

from bench.peers import OBJECTS, Open, Peer, Reader, objects_reader
from bench.records import Records


def hold(records: Records, _folder: Path) -> Open:
    """A dict of the records, in the collector's permanent generation."""
    gc.disable()
    data = dict(enumerate(records))
    gc.freeze()

    def open_in_worker() -> Reader:
        gc.enable()
        return objects_reader(data)

    return open_in_worker


PEER = Peer(
    "gc.freeze",
    OBJECTS,
    hold,
    types_lost="none",
    code_changed="gc.disable() early, gc.freeze() before the fork, gc.enable() in workers",
)
