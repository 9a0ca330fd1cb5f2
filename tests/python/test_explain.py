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


PLANTED = """
    import os, subprocess, time
    import planted
    arena, data = planted.build()
    wanted = planted.plants(data)
    assert {address in range(0, 1) for address, _, _ in wanted} == {False}
    ready, here = os.pipe()
    go, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        gc.disable()
        # What looking writes by itself (the report refers to the arena's lock, say) comes first.
        before = {(one.type, one.field): one.words for one in arena.explain(limit=None).changes}
        planted.plant([address for address, _, _ in wanted])
        found = arena.explain(limit=None)
        inside = [[one.type, one.field, one.words] for one in found.changes]
        os.write(here, json.dumps([list(map(list, before)), inside, found.to_dict()]).encode())
        os.close(here)
        os.read(go, 1)
        os._exit(0)
    os.close(here)
    inside = json.loads(open(ready, "rb", closefd=True).read())
    outside = subprocess.run(
        [*sys.argv[1:], "-m", "frozen_arena", "explain", str(pid), "--json"],
        capture_output=True, text=True)
    os.write(there, b"x")
    os.waitpid(pid, 0)
    assert outside.returncode == 0, outside.stderr
    outside = json.loads(outside.stdout)
    print(json.dumps([[list(one[1:]) for one in wanted], *inside, outside]))
    """


def test_every_planted_write_is_named_inside_and_outside() -> None:
    import sys

    done = run_python(PLANTED, sys.executable, timeout=120)
    wanted, before, inside, ledger, outside = done.json
    assert len(wanted) >= 30
    others = {tuple(one) for one in before}
    planted = sorted((type_, field) for type_, field in wanted)
    named = sorted((type_, field) for type_, field, _ in inside if (type_, field) not in others)
    assert named == planted
    assert {words for type_, field, words in inside if (type_, field) not in others} == {1}
    seen = sorted((one["type"], one["field"]) for one in outside["changes"])
    assert [one for one in seen if one not in others] == planted
    for found in (ledger, outside):
        adds_up(found)


def adds_up(found: dict[str, object]) -> None:
    changes = found["changes"]
    assert isinstance(changes, (list, tuple))
    assert found["private_os_pages"] == sum(
        found[part]  # type: ignore[misc]
        for part in ("changed_os_pages", "same_os_pages", "not_compared_os_pages")
    )
    assert found["changed_os_pages"] == sum(one["os_pages_counted"] for one in changes)
    assert found["words"] == sum(one["words"] for one in changes)
    assert found["unknown_words"] == sum(
        one["words"] for one in changes if one["kind"] == "unknown"
    )
    assert found["words"] == found["named_words"] + found["unknown_words"]  # type: ignore[operator]
