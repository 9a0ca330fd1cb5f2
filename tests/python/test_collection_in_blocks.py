"""Automatic garbage collection rests while a block is open, and is afterwards as it was before."""

from __future__ import annotations

import pytest
from forking import run_python

# Counts the collections that nobody asked for, in a list that is there before any block.
COUNTING = """
counted = [0]
def count(phase, info):
    if phase == "start":
        counted[0] += 1
gc.callbacks.append(count)
def make_containers():  # one that took the place of another would start nothing
    for number in range(20_000):
        kept[number] = None
    for number in range(20_000):
        kept[number] = [number]
kept = [None] * 20_000
"""


def test_nothing_is_collected_automatically_inside_a_block_and_garbage_goes_at_its_end() -> None:
    run_python(
        COUNTING
        + """
class Thing: pass
make_containers()
assert counted[0] > 0  # so many containers start collections
with frozen_arena() as arena:
    before = counted[0]
    cycle = Thing()
    cycle.me, ref = cycle, weakref.ref(cycle)
    del cycle
    make_containers()
    assert counted[0] == before and not gc.isenabled() and ref() is not None
assert ref() is None
before = counted[0]
make_containers()
assert counted[0] > before
"""
    )


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("ending", ["return", "exception", "wrong thread", "predicate raises"])
def test_collection_is_enabled_or_disabled_after_a_block_as_it_was_before(
    ending: str, enabled: bool
) -> None:
    run_python(
        f"""
        enabled, ending = {enabled}, {ending!r}
        gc.enable() if enabled else gc.disable()
        callbacks = list(gc.callbacks)
        def refuse(kind):
            raise LookupError
        types = refuse if ending == "predicate raises" else ()
        block = frozen_arena(keep_mortal=types, reshare="never")
        def leave():
            try:
                block.__exit__(None, None, None)
            except fa.ArenaStateError:
                pass
        try:
            with block:
                assert not gc.isenabled()
                data = [[number] for number in range(1000)]
                gc.collect()
                assert not gc.isenabled()
                if ending == "exception":
                    raise LookupError
                if ending == "wrong thread":
                    in_thread(leave)
                    assert gc.isenabled() == enabled
        except (LookupError, fa.ArenaStateError):
            assert ending != "return"
        assert gc.isenabled() == enabled and gc.callbacks == callbacks
        """
    )


def test_collection_rests_until_the_outermost_of_nested_blocks_is_left() -> None:
    run_python(
        """
        with frozen_arena("outer"):
            with frozen_arena("inner"):
                assert not gc.isenabled()
            assert not gc.isenabled()
            try:
                with frozen_arena("failing"):
                    raise LookupError
            except LookupError:
                pass
            assert not gc.isenabled()
        assert gc.isenabled()
        """
    )


def test_block_of_another_thread_keeps_collection_resting_when_one_is_left() -> None:
    run_python(
        """
        inside, go = threading.Event(), threading.Event()
        def build():
            with frozen_arena("other"):
                inside.set()
                go.wait()
        thread = threading.Thread(target=build)
        with frozen_arena("mine"):
            thread.start()
            inside.wait()
        assert not gc.isenabled()
        go.set()
        thread.join()
        assert gc.isenabled()
        """
    )


def test_arena_that_doubles_from_256_mib_on_lets_one_collection_run() -> None:
    """os.read() asks for a buffer of that size, and of an empty file fills nothing of it."""
    run_python(
        COUNTING
        + """
empty = os.open(os.devnull, os.O_RDONLY)
with frozen_arena(huge_pages="never") as arena:
    before = counted[0]
    seen = []
    for size in (200, 300, 300, 700):
        os.read(empty, size << 20)
        make_containers()
        seen.append(counted[0] - before)
        assert not gc.isenabled()
assert seen == [0, 1, 1, 2], seen
gc.disable()
with frozen_arena(huge_pages="never"):
    before = counted[0]
    os.read(empty, 300 << 20)
    make_containers()
    assert counted[0] == before  # it was disabled by the program, and stays so
assert not gc.isenabled()
"""
    )
