"""Explaining: what was written is named, object and field, and what nobody knows says so."""

from __future__ import annotations

import os
import subprocess
import sys

import frozen_arena as fa
import pytest
from forking import run_python
from frozen_arena.explaining import outside

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


def test_what_reading_and_asking_writes_is_told_with_cause_and_remedy() -> None:
    done = run_python("""
        class Plain:
            pass

        with frozen_arena() as arena:
            lock, plain, kept = threading.Lock(), Plain(), [1000]
            plain.attribute = 1

        def child():
            gc.disable()
            several = [lock] * 100
            vars(plain)
            reference = weakref.ref(plain)
            found = arena.explain()
            return [found.to_dict(), str(found)]

        print(json.dumps(fork_and_report(child)))
        """)
    found, text = done.json
    adds_up(found)
    told = {(one["type"], one["field"]): one for one in found["changes"]}
    counted = told["_thread.lock", "reference count"]
    assert not counted["immortal"]
    assert "reshare()" in counted["remedy"]
    assert "instance_dicts=True" in told["__main__.Plain", "__dict__ pointer"]["remedy"]
    assert "weak reference" in told["__main__.Plain", "weakref list"]["why"]
    assert "reference count of 1 object of type _thread.lock (mortal)" in text
    assert f"{found['private_os_pages']:,} private OS page" in text


def test_os_pages_that_say_the_same_again_are_no_difference() -> None:
    done = run_python("""
        with frozen_arena() as arena:
            data = {"key": [1000]}

        def child():
            gc.disable()
            inner, data["key"] = data["key"], None
            data["key"] = inner
            return arena.explain().to_dict()

        print(json.dumps(fork_and_report(child)))
        """)
    adds_up(done.json)


def test_an_arena_behind_no_file_is_not_explained_and_says_so() -> None:
    done = run_python(
        """
        with frozen_arena() as arena:
            data = [str(number) for number in range(1000)]
        found = arena.explain()
        print(json.dumps([found.to_dict(), str(found)]))
        """,
        env={"FROZEN_ARENA_TEST_FAULTS": "no_memfd"},
    )
    found, text = done.json
    adds_up(found)
    assert found["not_compared_os_pages"] == found["private_os_pages"] > 0
    assert found["words"] == 0
    assert all("no sealed file" in note for note in found["not_explained"])
    assert "not explained: " in text


def test_without_a_sealed_arena_there_is_nothing_to_explain() -> None:
    done = run_python("""
        found = fa.explain()
        assert str(found) == "no sealed arena, so nothing to explain"
        with frozen_arena() as arena:
            try:
                arena.explain()
            except fa.ArenaStateError as error:
                print(error)
        for wrong, kind in ((0, ValueError), (True, TypeError), ("20", TypeError)):
            try:
                fa.explain(limit=wrong)
            except kind:
                continue
            raise AssertionError(wrong)
        print(json.dumps(found.to_dict()))
        """)
    assert "leave the block first" in done.stdout
    adds_up(done.json)


def test_what_is_left_out_of_the_text_is_summed_up() -> None:
    done = run_python("""
        with frozen_arena() as arena:
            data = {"list": [1, 2, 3], "set": {1, 2}, "dict": {"a": 1}}
        data["list"][1] = None
        data["set"].add(3)
        data["dict"]["a"] = None
        found = arena.explain(limit=1)
        print(json.dumps([len(found.changes), str(found)]))
        """)
    changes, text = done.json
    assert changes > 2
    assert f"{changes - 1} more changes" in text


# From outside


def explain(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "frozen_arena", "explain", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_one_line(done: subprocess.CompletedProcess[str], status: int, *words: str) -> bool:
    said = done.stderr.strip().splitlines()
    return done.returncode == status and not done.stdout and all(one in said[-1] for one in words)


def test_a_process_that_is_gone_is_named_as_such() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert is_one_line(explain(process.pid), 1, "there is no process", str(process.pid))


def test_what_is_no_pid_is_wrong_usage() -> None:
    assert is_one_line(explain("worker"), 2, "PID")
    assert is_one_line(explain(0), 2, "PID")


def test_a_process_that_is_not_python_and_one_without_arenas_are_told_apart() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        done = explain(process.pid)
        process.kill()
    assert is_one_line(done, 1, "is not Python")
    assert is_one_line(explain(os.getpid()), 1, str(os.getpid()), "nothing to explain")


@pytest.mark.parametrize(
    ("user", "owner", "scope", "words"),
    [
        (1000, 1001, "0", "belongs to user 1001"),
        (1000, 0, "0", "belongs to root"),
        (1000, 1000, "1", "kernel.yama.ptrace_scope is 1"),
        (1000, 1000, "3", "kernel.yama.ptrace_scope is 3"),
        (1000, 1000, "", "CAP_SYS_PTRACE"),
    ],
)
def test_what_forbids_to_look_is_named(
    user: int, owner: int, scope: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(outside, "_ptrace_scope", lambda: scope)
    assert words in outside._what_forbids(42, owner, PermissionError(13, "Permission denied"))
