"""Copy-on-write stays: children change frozen data at random, and nobody else sees it."""

from __future__ import annotations

import os

import cow_data
import cow_programs
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
