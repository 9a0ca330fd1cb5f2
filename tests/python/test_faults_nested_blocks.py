"""Blocks inside blocks, and blocks left in the wrong order."""

from __future__ import annotations

import pytest
from forking import run_python


def test_inner_block_takes_the_allocations_until_it_is_left() -> None:
    run_python(
        """
        with frozen_arena("outer") as outer:
            first = [str(number) * 2 for number in range(100)]
            with frozen_arena("inner") as inner:
                second = [str(number) * 3 for number in range(100)]
            assert (outer.state, inner.state) == ("building", "sealed")
            third = [str(number) * 4 for number in range(100)]
        assert outer.state == "sealed"
        where = [["outer" if x in outer else "inner" if x in inner else "" for x in (xs, xs[50])]
                 for xs in (first, second, third)]
        assert where == [["outer"] * 2, ["inner"] * 2, ["outer"] * 2], where
        def read():
            total = sum(len(x) for xs in (first, second, third) for x in xs)
            return fa.sharing().private_os_pages
        assert fork_and_report(read) == 0 or not HAS_IMMORTAL_OBJECTS
        """
    )


def test_inner_block_that_fails_leaves_the_outer_one_open() -> None:
    run_python(
        """
        with frozen_arena("outer") as outer:
            try:
                with frozen_arena("inner") as inner:
                    kept = [str(number) * 2 for number in range(100)]
                    raise LookupError
            except LookupError:
                pass
            data = [kept, str(outer) * 2]
        assert (outer.state, inner.state) == ("sealed", "abandoned")
        assert data[0][50] == "5050" and data in outer and kept in inner
        """
    )


def test_inner_object_that_an_outer_frozen_one_holds_stays_usable() -> None:
    run_python(
        """
        with frozen_arena("outer") as outer:
            data = {}
            with frozen_arena("inner") as inner:
                data["inner"] = [str(number) * 3 for number in range(1000)]
            data["outer"] = [str(number) * 4 for number in range(1000)]
        gc.collect()
        def change():
            data["inner"].append(1)
            data["inner"].sort(key=str)
            del data["inner"]
            return len(data["outer"])
        assert fork_and_report(change) == 1000
        assert data["inner"][999] == "999999999"
        """
    )


@pytest.mark.parametrize("depth", [2, 20])
def test_blocks_nest_deeply(depth: int) -> None:
    run_python(
        f"""
        kept = []  # on 3.11 a list that dies leaves memory of an inner arena in a free list
        def dive(left):
            with frozen_arena(f"depth {{left}}") as arena:
                before = [str(left) * 9 for _ in range(50)]
                inner = dive(left - 1) if left else []
                kept.append(inner)
                after = [str(left) * 8 for _ in range(50)]
            assert arena.state == "sealed" and before in arena and after in arena
            return [before, after, *inner]
        built = dive({depth})
        assert len(built) == 2 * {depth} + 2
        assert len(fa.arenas()) == {depth} + 1
        """
    )


@pytest.mark.parametrize("again", ["left", "never entered"])
def test_block_that_is_not_open_cannot_be_left_and_harms_no_other(again: str) -> None:
    run_python(
        f"""
        import warnings
        warnings.simplefilter("error")
        other = frozen_arena("other")
        if {again!r} == "left":
            with other as first:
                data = [str(number) * 2 for number in range(100)]
        for when in ("outside", "inside"):
            with frozen_arena(when) as arena:
                if when == "outside":
                    continue
                for _ in range(3):
                    try:
                        other.__exit__(None, None, None)
                    except fa.ArenaStateError:
                        pass
                    else:
                        raise AssertionError("a block that is not open was left")
                more = [str(number) * 3 for number in range(100)]
        assert arena.state == "sealed" and more in arena and more[50] in arena
        assert {again!r} != "left" or first.state == "sealed"
        """
    )


def test_blocks_left_in_the_wrong_order_harm_nothing() -> None:
    run_python(
        """
        outer, inner = frozen_arena("outer"), frozen_arena("inner")
        one, two = outer.__enter__(), inner.__enter__()
        data = [str(number) * 2 for number in range(1000)]
        try:
            outer.__exit__(None, None, None)
        except fa.ArenaStateError:
            assert one.state == "abandoned"
        else:
            raise AssertionError("the outer block was left first")
        more = [str(number) * 3 for number in range(1000)]
        try:
            inner.__exit__(None, None, None)
        except fa.ArenaStateError:
            assert two.state == "abandoned"
        rest = [str(number) * 4 for number in range(1000)]
        assert rest[5] not in one and rest[5] not in two
        assert (data[9], more[9], rest[9]) == ("99", "999", "9999")
        """
    )
