"""Faults at the edges of a block: exceptions, the wrong thread, suspended generators, nesting."""

from __future__ import annotations

import sys

import pytest
from forking import run_python


@pytest.mark.parametrize(
    "error",
    ["ValueError('x')", "SystemExit(3)", "KeyboardInterrupt()", "MemoryError()", "GeneratorExit()"],
)
def test_exception_passes_through_unchanged_and_the_arena_is_abandoned(error: str) -> None:
    run_python(
        f"""
        raised = {error}
        try:
            with frozen_arena() as arena:
                data = [str(number) * 2 for number in range(20_000)]
                raise raised
        except BaseException as caught:
            assert caught is raised
            assert caught.__context__ is None and caught.__cause__ is None
        assert (arena.state, arena.report) == ("abandoned", None)
        class Thing: pass
        assert data[777] == "777777" and sys.getrefcount(data[777]) < 10
        assert "".join(["new", "one"]) not in arena
        data.append("more")
        data.clear()
        gc.collect()
        """
    )


def test_system_exit_in_a_block_is_the_exit_status_of_the_process() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            data = [str(number) * 2 for number in range(1000)]
            sys.exit(7)
        """,
        status=7,
    )


def test_keyboard_interrupt_by_a_signal_in_a_block_abandons_the_arena() -> None:
    run_python(
        """
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with frozen_arena() as arena:
                data = [str(number) * 2 for number in range(1000)]
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pass
        assert arena.state == "abandoned" and data[5] == "55"
        """
    )


def test_objects_of_an_abandoned_arena_live_and_die_as_usual() -> None:
    run_python(
        """
        class Thing: pass
        try:
            with frozen_arena() as arena:
                things = [Thing() for _ in range(1000)]
                cycle = Thing()
                cycle.me = cycle
                raise ValueError
        except ValueError:
            pass
        refs = [weakref.ref(thing) for thing in things] + [weakref.ref(cycle)]
        del things, cycle
        gc.collect()
        assert not any(ref() for ref in refs)
        assert arena.state in ("abandoned", "released")
        """
    )


def test_block_left_by_the_wrong_thread_is_an_arena_state_error() -> None:
    run_python(
        """
        block = frozen_arena()
        arena = block.__enter__()
        data = [str(number) * 2 for number in range(5000)]
        def leave():
            try:
                block.__exit__(None, None, None)
            except fa.ArenaStateError as error:
                return str(error)
        message = in_thread(leave)
        assert message and "thread" in message, message
        assert (arena.state, arena.report) == ("abandoned", None)
        assert data[4321] == "43214321" and sys.getrefcount(data[5]) < 10
        assert "".join(["la", "ter"]) not in arena
        with frozen_arena() as again:
            more = [str(number) * 2 for number in range(100)]
        assert again.state == "sealed" and more[3] in again
        """
    )


# Runs `ask` in a second thread when it is called, for as long as the second thread lives.
TWO_THREADS = """
class Second:
    def __init__(self):
        self.asked, self.answered = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        while True:
            self.asked.acquire()
            self.answer = self.ask()
            self.answered.release()
    def __call__(self, ask):
        self.ask = ask
        self.asked.release()
        self.answered.acquire()
        return self.answer
def error_of(fn):
    try:
        fn()
    except fa.ArenaStateError as error:
        return str(error)
    return None
second = Second()
"""


def test_thread_whose_block_another_has_left_is_told_so_when_it_leaves_it() -> None:
    run_python(
        TWO_THREADS
        + """
def body():
    with frozen_arena("mine") as arena:
        wrong = second(lambda: error_of(lambda: block.__exit__(None, None, None)))
        assert "another thread than the one that entered" in wrong, wrong
        assert arena.state == "abandoned"
        assert "".join(["la", "ter"]) not in arena
for raised in (None, LookupError("data")):
    block = frozen_arena("mine")
    try:
        with block as arena:
            second(lambda: error_of(lambda: block.__exit__(None, None, None)))
            if raised is not None:
                raise raised
    except fa.ArenaStateError as error:
        assert raised is None and "another thread has left this block" in str(error), error
    except LookupError as error:
        assert error is raised  # an exception passes through unchanged
    else:
        raise AssertionError("the thread was not told")
    assert "not open" in error_of(lambda: block.__exit__(None, None, None))
assert gc.isenabled() and fa.status().checks[-1].ok
"""
    )


def test_thread_whose_inner_block_another_has_left_goes_on_with_the_outer_one() -> None:
    run_python(
        TWO_THREADS
        + """
with frozen_arena("outer") as outer:
    inner = frozen_arena("inner")
    abandoned = inner.__enter__()
    assert second(lambda: error_of(lambda: inner.__exit__(None, None, None)))
    assert error_of(lambda: inner.__exit__(None, None, None))
    data = [str(number) * 2 for number in range(1000)]
assert (outer.state, abandoned.state) == ("sealed", "abandoned")
assert data in outer and data[77] in outer
"""
    )


def test_thread_whose_block_another_has_left_is_routed_like_all_others_from_its_next_block_on() -> (
    None
):
    run_python(
        TWO_THREADS
        + """
block = frozen_arena("stale")
stale = block.__enter__()
assert second(lambda: error_of(lambda: block.__exit__(None, None, None)))
with frozen_arena("next") as arena:
    data = [str(number) * 2 for number in range(1000)]
assert arena.state == "sealed" and data[77] in arena
everything = frozen_arena("all", threads="all")
arena = second(everything.__enter__)
more = [str(number) * 3 for number in range(1000)]
assert second(lambda: error_of(lambda: everything.__exit__(None, None, None))) is None
assert arena.state == "sealed" and more[77] in arena
"""
    )


def test_arena_outlives_the_thread_that_was_routed_to_it_when_nobody_leaves_its_block() -> None:
    run_python(
        """
        class EndsLast(threading.local):
            def __init__(self): self.made = []
            def __del__(self): [str(number) * 2 for number in range(1000)]
        def enter():
            last = EndsLast()
            last.made.append(frozen_arena("left open").__enter__())
        for _ in range(20):
            in_thread(enter)
            gc.collect()
        assert [arena.state for arena in fa.arenas()] == ["building"] * 20
        """
    )


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
