"""Copy-on-write stays: children change frozen data at random, and nobody else sees it."""

from __future__ import annotations

import os

import cow_data
import cow_programs
from forking import run_python
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

PROGRAMS = int(os.environ.get("FROZEN_ARENA_COW_PROGRAMS", "300"))

paths = st.lists(st.integers(0, 63), max_size=4)
values = st.one_of(
    st.none(),
    st.integers(-(10**6), 10**40),
    st.text(max_size=8),
    st.lists(st.integers(0, 5000), max_size=5),
    st.builds(lambda path: {"link": path}, paths),
)
steps = st.tuples(paths, st.integers(0, 63), st.integers(0, 10_000), values).map(list)
programs = st.lists(steps, min_size=1, max_size=20)


def check(count: int, *, start: int | None = None) -> int:
    """Runs ``count`` random programs in forked children of one process; the number that ran."""
    ran = 0

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(programs)
    def run(program: list[list[object]]) -> None:
        nonlocal ran
        ran += 1
        server.ask(program)

    with cow_programs.Server() as server:
        (run if start is None else seed(start)(run))()
        server.ask(None)
    assert server.status == 0
    return ran


def test_children_change_frozen_data_as_an_ordinary_model_and_nobody_else_sees_it() -> None:
    assert check(PROGRAMS) >= min(PROGRAMS, 100)


def test_model_and_data_that_are_built_alike_are_equal_and_changed_ones_are_not() -> None:
    """The comparison itself: what it is blind to, the programs would not find."""
    model = cow_data.canonical(cow_data.build())
    assert model == cow_data.canonical(cow_data.build())
    changed = cow_data.build()
    changed["nodes"][3].other.items.append("more")
    assert model != cow_data.canonical(changed)
    changed = cow_data.build()
    changed["nodes"][3].other = cow_data.Node(4)
    assert model != cow_data.canonical(changed)


def test_what_is_appended_to_short_lists_copies_no_payload_and_long_ones_stay_in_place() -> None:
    run_python(
        """
        class Own(list):
            pass
        def filled(kind, length):
            made = kind()
            for number in range(length):
                made.append(str(number))  # one by one leaves room to spare
            return made
        def shortened(kind, length, by):
            made = filled(kind, length + by)
            del made[length:]  # its block keeps room, whatever the list says
            return made
        with frozen_arena() as arena:
            short = [filled(kind, length) for length in (0, 1, 5, 99) for kind in (list, Own)]
            short += [shortened(list, length, by) for length in (1, 3, 60) for by in (1, 5, 9)]
            longer = filled(list, 3000)
        def private():
            return arena.sharing().lanes["payload"].private_os_pages
        def append():
            for items in short:
                items.append("new")
                items.extend(["newer", "newest"])
                assert items[-3:] == ["new", "newer", "newest"]
                assert [items.pop() for _ in range(3)][-1] == "new"
            assert private() == 0
            longer.append("new")
            return private()
        assert fork_and_report(append) == 1  # its vector is not copied: only the OS page of its end
        assert [len(items) for items in short[:8]] == [0, 0, 1, 1, 5, 5, 99, 99]
        assert all(items == [str(number) for number in range(len(items))] for items in short)
        short[5].sort(reverse=True)
        short[6].clear()
        assert short[5] == ["4", "3", "2", "1", "0"] and short[6] == []
        """
    )
