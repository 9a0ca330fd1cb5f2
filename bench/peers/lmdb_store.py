"""LMDB with a pickle for each record, opened read-only in each worker."""

from __future__ import annotations

import pickle
from pathlib import Path

from bench.peers import PACKED, Open, Peer, Reader, record_reader
from bench.records import Record, Records

_KEY_BYTES = 8
_BATCH = 10_000
_ROOM = 2**36  # address space of the map; the file is as large as its content


def hold(records: Records, folder: Path) -> Open:
    """A file of pickles by number."""
    import lmdb

    path = str(folder / "records.lmdb")
    with lmdb.open(path, subdir=False, map_size=_ROOM, sync=False, lock=False) as store:
        writing = store.begin(write=True)
        for number, record in enumerate(records):
            key = number.to_bytes(_KEY_BYTES, "big")
            writing.put(key, pickle.dumps(record, -1), append=True)
            if number % _BATCH == 0:
                writing.commit()
                writing = store.begin(write=True)
        writing.commit()

    def open_in_worker() -> Reader:
        opened = lmdb.open(path, subdir=False, readonly=True, lock=False, map_size=_ROOM)
        get = opened.begin(buffers=True).get

        def record(number: int) -> Record:
            found: Record = pickle.loads(get(number.to_bytes(_KEY_BYTES, "big")))
            return found

        return record_reader(record)

    return open_in_worker


PEER = Peer(
    "LMDB",
    PACKED,
    hold,
    types_lost="identity: each look-up makes a new record; a change is lost",
    code_changed="a file to write, open and keep up to date, keys as bytes, every look-up",
    needs=("lmdb",),
)
