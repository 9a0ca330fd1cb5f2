"""Faults at the end of a block: exceptions, SystemExit, Ctrl-C."""

from __future__ import annotations

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
    finished = run_python(
        """
        import atexit
        atexit.register(lambda: print(arena.state))
        with frozen_arena() as arena:
            data = [str(number) * 2 for number in range(1000)]
            sys.exit(7)
        """,
        status=7,
    )
    assert (finished.stdout, finished.stderr) == ("abandoned\n", "")


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


@pytest.mark.parametrize("keywords", ["", "threads='all'"])
def test_ctrl_c_at_any_place_of_entering_and_leaving_leaves_the_process_as_it_was(
    keywords: str,
) -> None:
    """An interpreter looks for signals when a Python function begins and when a call returns.

    Left out is the one place of which no Python code can take care: where ``__exit__`` begins.
    """
    run_python(
        f"""
        import frozen_arena.block as ours
        def interrupted(nth):
            "Enters and leaves a block, with Ctrl-C at the n-th such place; whether there was one."
            left = nth
            def count(frame, event, argument):
                nonlocal left
                place = frame.f_code.co_name, event
                if frame.f_code.co_filename != ours.__file__ or place == ("__exit__", "call"):
                    return
                if event not in ("call", "c_return"):
                    return
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
            block = frozen_arena({keywords})
            try:
                sys.setprofile(count)
                with block as arena:
                    held.append([[number] for number in range(50)])
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            return left <= 0, block
        held = []  # what dies on 3.11 goes to free lists, arena or not
        outcomes = set()
        for nth in range(1, 1000):
            done, block = interrupted(nth)
            assert gc.isenabled(), nth
            assert block._handle is None or block._handle.state != "building", nth
            after = [[number] for number in range(200)]
            sealed = [arena for arena in fa.arenas() if arena.state == "sealed"]
            assert not any(item in arena for item in after for arena in sealed), nth
            with frozen_arena() as outer:
                with frozen_arena() as inner:
                    kept = [str(number) * 2 for number in range(100)]
                more = [str(number) * 3 for number in range(100)]
            assert (outer.state, inner.state) == ("sealed", "sealed"), nth
            assert kept[7] in inner and more[7] in outer and gc.isenabled(), nth
            outcomes.add(block._handle and block._handle.state)
            if not done:
                break
        assert nth > 20 and {{"sealed", "abandoned"}} <= outcomes, (nth, outcomes)
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


def test_a_predicate_that_forks_leaves_both_processes_as_they_were() -> None:
    run_python(
        """
children = []
def choose(type_):
    if not children:
        children.append(os.fork())
    return False
with frozen_arena(keep_mortal=choose) as arena:
    data = [str(number) for number in range(10_000)] + [1.5]
if children == [0]:
    os._exit(0 if arena.state == "abandoned" and data[7] == "7" and gc.isenabled() else 1)
assert os.waitpid(children[0], 0)[1] == 0
assert arena.state == "sealed" and data[7] == "7"
"""
    )
