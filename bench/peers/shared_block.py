"""`multiprocessing.shared_memory`: one block of pickles, inherited by fork."""

from __future__ import annotations

import pickle
from array import array
from itertools import accumulate
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from bench.peers import PACKED, Open, Peer, record_reader
from bench.records import Record, Records


def hold(records: Records, _folder: Path) -> Open:
    """A block whose name is given back at once, since workers inherit the mapping."""
    packed = [pickle.dumps(record, -1) for record in records]
    places = array("Q", accumulate(map(len, packed), initial=0))
    block = SharedMemory(create=True, size=places[-1])
    block.unlink()
    for number, one in enumerate(packed):
        block.buf[places[number] : places[number + 1]] = one
    del packed

    def record(number: int) -> Record:
        found: Record = pickle.loads(block.buf[places[number] : places[number + 1]])
        return found

    return lambda: record_reader(record)


PEER = Peer(
    "shared_memory",
    PACKED,
    hold,
    types_lost="identity: each look-up makes a new record; a change is lost",
    code_changed="a block to size, fill and unlink, every look-up by number through a class",
)
