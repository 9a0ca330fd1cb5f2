"""A NumPy array of pickles and one of their ends: how PyTorch users share a list of samples."""

from __future__ import annotations

import pickle
from pathlib import Path

from bench.peers import PACKED, Open, Peer, record_reader
from bench.records import Record, Records


def hold(records: Records, _folder: Path) -> Open:
    """One array with every record pickled, and one with the ends."""
    import numpy

    packed = [numpy.frombuffer(pickle.dumps(record, -1), dtype=numpy.uint8) for record in records]
    ends = numpy.cumsum([len(one) for one in packed])
    content = numpy.concatenate(packed)
    del packed

    def record(number: int) -> Record:
        start = 0 if number == 0 else ends[number - 1].item()
        found: Record = pickle.loads(memoryview(content[start : ends[number].item()]))
        return found

    return lambda: record_reader(record)


PEER = Peer(
    "NumPy + pickle",
    PACKED,
    hold,
    types_lost="identity: each look-up makes a new record; a change is lost",
    code_changed="a class that packs, and every look-up by number through it",
    needs=("numpy",),
)
