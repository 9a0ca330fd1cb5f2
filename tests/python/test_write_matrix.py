"""The table "What a reading worker writes" as a test: a pair copies nothing, or says why."""

from __future__ import annotations

import forking
import pytest
import write_matrix

PAIRS = write_matrix.all_pairs()

# The rows of the table that this matrix stands for, and the objects that stand for each.
ROWS = {
    "str": ["str"],
    "str, non-ASCII": ["str, Latin-1", "str, two bytes a character", "str, four bytes a character"],
    "cached hash": [
        *("bytes", "frozenset", "date", "time", "datetime", "timedelta", "Decimal", "memoryview"),
    ],
    "tuple, namedtuple": ["tuple", "namedtuple"],
    "instance, dataclass": ["instance", "dataclass"],
    "bytearray, array.array": ["bytearray", "array.array"],
    "dict used as module globals": ["dict as globals"],
    "caches": ["PurePath", "exception", "lru_cache, bounded", "OrderedDict"],
    "function, code, type, module": ["function", "code", "type", "module"],
    "writes nothing": [
        *("list", "dict", "set", "int", "float", "complex", "range", "deque", "slotted instance"),
        *("re.Pattern", "partial", "UUID"),
    ],
}


@pytest.fixture(scope="session")
def results() -> dict[str, write_matrix.Result]:
    """Every pair, measured once."""
    return write_matrix.run_all(PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_reading_copies_what_the_table_says(
    pair: write_matrix.Pair, results: dict[str, write_matrix.Result]
) -> None:
    assert not write_matrix.verdict(pair, results[pair.name])


def test_every_row_of_the_table_has_its_objects() -> None:
    objects = {pair.object for pair in PAIRS}
    assert {
        row: [name for name in names if name not in objects] for row, names in ROWS.items()
    } == {row: [] for row in ROWS}


def test_there_are_over_a_hundred_pairs_and_no_name_twice() -> None:
    names = [pair.name for pair in PAIRS]
    assert len(names) > 100
    assert len(set(names)) == len(names)


def test_a_pair_that_writes_is_seen() -> None:
    """The measure itself: a child that changes a list and its items must not come out as zero."""
    results = forking.run_python(
        """
        import dataclasses, write_matrix
        def change(items):
            items.append([1])
            items[0].append(2)
        pair, = write_matrix.row("changed", lambda: [[n] for n in range(40)], ("change", change))
        print(json.dumps(dataclasses.asdict(write_matrix.run_pair(pair))))
        """
    ).json
    assert results["objects"] + results["payload"] >= 1
