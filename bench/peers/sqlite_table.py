"""SQLite with a memory-mapped file: a table with a column for each field."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from bench.peers import PACKED, Open, Peer, Reader
from bench.records import Record, Records

_MAPPED = 2**31 - 2**16  # bytes; as much as SQLite maps as it is usually built


def hold(records: Records, folder: Path) -> Open:
    """A file with one table, the number of a record being its primary key."""
    path = folder / "records.sqlite"
    fields = records.fields
    writing = sqlite3.connect(path)
    writing.execute("PRAGMA journal_mode = OFF")
    writing.execute(f"CREATE TABLE records (number INTEGER PRIMARY KEY, {', '.join(fields)})")
    marks = ", ".join("?" * (len(fields) + 1))
    rows = ((number, *record.values()) for number, record in enumerate(records))
    writing.executemany(f"INSERT INTO records VALUES ({marks})", rows)
    writing.commit()
    writing.close()
    whole = f"SELECT {', '.join(fields)} FROM records WHERE number = ?"
    one = {name: f"SELECT {name} FROM records WHERE number = ?" for name in fields}

    def open_in_worker() -> Reader:
        store = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        store.execute(f"PRAGMA mmap_size = {_MAPPED}")
        ask = store.cursor().execute

        def record(number: int) -> Record:
            return dict(zip(fields, ask(whole, (number,)).fetchone(), strict=True))

        def value(number: int, field: str) -> Any:
            return ask(one[field], (number,)).fetchone()[0]

        return Reader(record, value)

    return open_in_worker


PEER = Peer(
    "SQLite",
    PACKED,
    hold,
    types_lost="all but numbers, texts and bytes, unless taken apart into columns or pickled",
    code_changed="a schema, a file to write and keep up to date, every look-up is a query",
)
