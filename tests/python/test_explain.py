"""Explaining: what was written is named, object and field, and what nobody knows says so."""

from __future__ import annotations

import frozen_arena as fa
import pytest
from forking import run_python

pytestmark = pytest.mark.skipif(not fa.status().available, reason="arenas do not work here")


def test_words_of_the_own_arenas_are_named() -> None:
    done = run_python("""
        import ctypes
        from frozen_arena.explaining.explanation import name_words

        class Record:
            __slots__ = ("name", "other")

        with frozen_arena() as arena:
            record = Record()
            record.name, record.other = "a name", [10, 20, 30]
            table = {"key": 1000, "other key": 2000}
        items = ctypes.c_size_t.from_address(id(record.other) + 24).value
        outside = object()
        places = name_words([id(record), id(record.other) + 9, items + 16, id(outside)])
        slots = {place.field for place in name_words(range(id(record) + 16, id(record) + 32, 8))}
        print(json.dumps([[place.type, place.field] for place in places] + [sorted(slots)]))
        """)
    assert done.json == [
        ["__main__.Record", "count"],
        ["list", "type"],
        ["list", "items[2]"],
        ["", ""],
        ["Record.name", "Record.other"],
    ]
