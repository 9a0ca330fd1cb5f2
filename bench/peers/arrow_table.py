"""Apache Arrow: a table in an IPC file, memory-mapped by each worker."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from bench.peers import PACKED, Open, Peer, Reader
from bench.records import Record, Records

_BATCH = 10_000


def hold(records: Records, folder: Path) -> Open:
    """A file with all records in one batch, so that a look-up does not search for its batch."""
    import pyarrow

    path = str(folder / "records.arrow")
    types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    columns = zip(records.fields, (types[one] for one in records.value_types), strict=True)
    schema = pyarrow.schema(list(columns))
    source = iter(records)
    batches = []
    while some := list(islice(source, _BATCH)):
        batches.append(pyarrow.Table.from_pylist(some, schema=schema))
    with pyarrow.OSFile(path, "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writing:
        writing.write_table(pyarrow.concat_tables(batches).combine_chunks())
    del batches
    pyarrow.default_memory_pool().release_unused()

    def open_in_worker() -> Reader:
        options = pyarrow.ipc.IpcReadOptions(use_threads=False)
        table = pyarrow.ipc.open_file(pyarrow.memory_map(path), options=options).read_all()
        by_name = {name: table.column(name).chunk(0) for name in records.fields}

        def record(number: int) -> Record:
            return {name: column[number].as_py() for name, column in by_name.items()}

        def value(number: int, field: str) -> Any:
            return by_name[field][number].as_py()

        return Reader(record, value)

    return open_in_worker


PEER = Peer(
    "Arrow",
    PACKED,
    hold,
    types_lost="all that has no Arrow type; one type a column",
    code_changed="a schema, a file to write and map, look-ups by column; made for scans",
    needs=("pyarrow",),
)
