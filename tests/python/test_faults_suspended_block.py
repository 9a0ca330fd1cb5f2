"""Blocks in generators and coroutines that are suspended, closed or collected."""

from __future__ import annotations

import sys

import pytest
from forking import run_python

# Who resumes the generator: each time the same instruction of the same frame, or other ones.
DRIVERS = {
    "next, twice": "data = next(steps); next(steps, None)",
    "a for loop": "for data in steps: between = [str(number) * 3 for number in range(100)]",
    "a list": "(data,) = list(steps)",
    "a star": "(data,) = [*steps]",
    "yield from": "(data,) = list(through(steps))",
    "a comprehension": "(data,) = [part for part in steps]",
    "two functions": "data = first(steps); second(steps)",
    "one function, twice": "data = first(steps); first(steps)",
    "one line of a loop": "for _ in range(2): data = next(steps, None) or data",
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_suspension_is_noticed_whoever_drives_the_generator(driver: str) -> None:
    run_python(
        f"""
        held = []
        def load():
            with frozen_arena() as arena:
                held.append(arena)
                yield [str(number) * 2 for number in range(5000)]
        def through(steps): yield from steps
        def first(steps): return next(steps, None)
        def second(steps): return next(steps, None)
        steps, data = load(), None
        try:
            {DRIVERS[driver]}
        except fa.ArenaStateError as error:
            assert "generator" in str(error), error
        else:
            raise AssertionError(f"sealed from a suspended generator: {{held[0].state}}")
        assert held[0].state == "abandoned", held[0].state
        assert "".join(["la", "ter"]) not in held[0]
        """
    )


def test_block_left_in_a_coroutine_that_was_suspended_is_an_arena_state_error() -> None:
    run_python(
        """
        import asyncio
        held = []
        async def load():
            with frozen_arena() as arena:
                held.append(arena)
                data = [str(number) * 2 for number in range(5000)]
                await asyncio.sleep(0)
            return data
        try:
            asyncio.run(load())
        except fa.ArenaStateError:
            pass
        else:
            raise AssertionError("sealed from a suspended coroutine")
        assert held[0].state == "abandoned"
        """
    )


@pytest.mark.parametrize("suspended", [True, False])
@pytest.mark.parametrize("kind", ["generator", "coroutine"])
def test_block_on_an_exit_stack_is_watched_like_one_in_a_with_statement(
    kind: str, suspended: bool
) -> None:
    run_python(
        f"""
        import asyncio, contextlib
        held = []
        def generator():
            with contextlib.ExitStack() as stack:
                held.append(stack.enter_context(frozen_arena()))
                data = [str(number) * 2 for number in range(1000)]
                if {suspended}:
                    yield
            yield data
        async def coroutine():
            async with contextlib.AsyncExitStack() as stack:
                held.append(stack.enter_context(frozen_arena()))
                data = [str(number) * 2 for number in range(1000)]
                if {suspended}:
                    await asyncio.sleep(0)
            return data
        try:
            data = list(generator()) if {kind!r} == "generator" else asyncio.run(coroutine())
        except fa.ArenaStateError as error:
            assert {suspended} and "was suspended" in str(error), error
        else:
            assert not {suspended} and data
        assert held[0].state == ("abandoned" if {suspended} else "sealed"), held[0]
        """
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 does not need sys.monitoring")
def test_generator_that_nothing_can_watch_is_warned_of() -> None:
    run_python(
        """
        import warnings
        for tool in range(6):
            sys.monitoring.use_tool_id(tool, "somebody")
        def load():
            with frozen_arena() as arena:
                data = [str(number) * 2 for number in range(1000)]
            yield arena
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with frozen_arena():
                pass
            assert seen == []  # an ordinary function needs no watch
            assert next(load()).state == "sealed"
        (warning,) = seen
        assert warning.category is fa.FrozenArenaWarning and warning.filename == "<string>"
        assert "sys.monitoring.free_tool_id" in str(warning.message), warning.message
        sys.monitoring.free_tool_id(3)
        warnings.simplefilter("error")
        assert next(load()).state == "sealed"
        assert sys.monitoring.get_tool(3) is None
        """
    )


def test_generator_closed_inside_a_block_abandons_the_arena() -> None:
    run_python(
        """
        held = []
        def load():
            with frozen_arena() as arena:
                held.append(arena)
                yield [str(number) * 2 for number in range(5000)]
        steps = load()
        data = next(steps)
        try:
            steps.close()
        except fa.ArenaStateError:
            pass
        assert held[0].state == "abandoned" and data[7] == "77"
        """
    )


def test_generator_that_is_collected_inside_a_block_abandons_the_arena() -> None:
    run_python(
        """
        held = []
        def load():
            with frozen_arena() as arena:
                held.append(arena)
                yield [str(number) * 2 for number in range(5000)]
        data = next(load())
        gc.collect()
        assert held[0].state == "abandoned" and data[7] == "77", held[0].state
        assert "".join(["la", "ter"]) not in held[0]
        """,
    )


def test_block_inside_a_generator_step_that_is_not_suspended_is_sealed() -> None:
    run_python(
        """
        def load():
            for number in range(3):
                with frozen_arena(f"step {number}"):
                    data = [str(number) * 5 for _ in range(100)]
                yield data
        steps = list(load())
        assert [arena.state for arena in fa.arenas()] == ["sealed"] * 3
        assert [step[0] for step in steps] == ["00000", "11111", "22222"]
        assert all(step in arena for step, arena in zip(steps, fa.arenas()))
        """
    )
