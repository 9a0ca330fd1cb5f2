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
