"""Faults from others who hook the allocator: tracemalloc in every order, -X dev, PYTHONMALLOC."""

from __future__ import annotations

import itertools
import sys

import pytest
from forking import IS_DEBUG_BUILD, run_python

MALLOCS = ["pymalloc", "malloc", "debug", "pymalloc_debug", "malloc_debug"]
if sys.version_info >= (3, 13):
    MALLOCS += ["mimalloc", "mimalloc_debug"]

WORK = """
def work(name):
    with frozen_arena(name) as arena:
        data = {f"key-{n}": [str(n) * 2, {n: (n, str(n))}] for n in range(2000)}
        data["raw"] = bytearray(3 << 20)
    assert arena.state == "sealed", arena.state
    assert data["key-77"] in arena and data["key-77"][0] == "7777"
    def child():
        data["key-5"].append("child")
        data["raw"].extend(b"x")
        del data["key-6"]
        size = len(data)
        data.clear()
        gc.collect()
        return size
    assert fork_and_report(child) == 2000
    def leave():
        data["key-7"] = None
        sys.exit(5)
    pid = os.fork()
    if pid == 0:
        leave()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    data["key-8"].append("parent")
    data["raw"].clear()
    return data
"""


@pytest.mark.parametrize("name", MALLOCS)
def test_block_works_on_every_base_allocator(name: str) -> None:
    finished = run_python(
        WORK
        + """
held = [work('one'), work('two')]
print(*(check.detail for check in fa.status().checks if check.name == "hooks"))
""",
        env={"PYTHONMALLOC": name},
    )
    base = "pymalloc_debug" if name == "debug" else name
    assert finished.stdout.endswith(f" above {base}\n")
    assert finished.stderr == ""


@pytest.mark.parametrize("name", [None, *MALLOCS])
def test_block_works_in_development_mode(name: str | None) -> None:
    finished = run_python(
        WORK + "held = [work('one'), work('two')]",
        flags=["-X", "dev"],
        env={
            "PYTHONMALLOC": name,
            "PYTHONWARNINGS": "error,ignore:This process:DeprecationWarning",
        },
    )
    assert finished.stderr == ""


@pytest.mark.parametrize(
    "flags", [["-X", "tracemalloc"], ["-X", "tracemalloc=10"], ["-X", "dev", "-X", "tracemalloc"]]
)
def test_block_works_when_tracemalloc_runs_from_the_start(flags: list[str]) -> None:
    finished = run_python(
        WORK
        + """
import tracemalloc
held = [work('one'), work('two')]
print(tracemalloc.is_tracing())
""",
        flags=flags,
    )
    assert finished.stdout == "True\n"
    assert finished.stderr.count("Warning") == 1, finished.stderr
    assert "traces" in finished.stderr


# Every order of: start (s), stop (t), import and first block (b), second block (c).
ORDERS = sorted(
    "".join(order)
    for order in set(itertools.permutations("sstbc"))
    if order.index("b") < order.index("c")
)
# Of many alike some run with every interpreter.
EVERY = 5


def mostly_once(values: list[str]) -> list[object]:
    return [
        pytest.param(value, marks=[pytest.mark.once] if number % EVERY else [])
        for number, value in enumerate(values)
    ]


@pytest.mark.parametrize("order", mostly_once(ORDERS))
def test_tracemalloc_started_and_stopped_in_every_order_around_blocks(order: str) -> None:
    run_python(
        """
        import gc, os, sys, tracemalloc
        order, text = sys.argv[1:]
        held = []
        for letter in order:
            if letter == "s":
                tracemalloc.start(3)
            if letter == "t":
                tracemalloc.stop()
            if letter == "b":
                import frozen_arena as fa
                from frozen_arena import frozen_arena
                from forking import fork_and_report
                exec(text)
            if letter in "bc":
                held.append(work(letter))
        tracing = tracemalloc.is_tracing()
        assert tracing == (order.rfind("s") > order.rfind("t")), tracing
        if tracing:
            before = tracemalloc.get_traced_memory()[0]
            more = bytearray(1 << 20)
            assert tracemalloc.get_traced_memory()[0] - before >= 1 << 20
        """,
        order,
        WORK,
        prelude="",
    )


@pytest.mark.parametrize("inside", mostly_once(["s", "t", "st", "sts", "stst"]))
@pytest.mark.parametrize("before", ["", "s"])
@pytest.mark.parametrize("after", ["", "t", "s"])
def test_tracemalloc_started_and_stopped_inside_a_block(
    before: str, inside: str, after: str
) -> None:
    run_python(
        WORK
        + """
import tracemalloc
def toggle(letters):
    for letter in letters:
        tracemalloc.start(5) if letter == "s" else tracemalloc.stop()
before, inside, after = sys.argv[1:]
toggle(before)
with frozen_arena() as arena:
    data = [[str(number) * 2] for number in range(2000)]
    for letter in inside:
        toggle(letter)
        data += [[str(number) * 3] for number in range(2000)]
        data[:500] = []
toggle(after)
assert arena.state == "sealed" and data[-1] == ["199919991999"]
assert fork_and_report(lambda: (data.clear(), gc.collect(), 5)[2]) == 5
held = work("afterwards")
toggle("t")
held = [held, work("at the end")]
""",
        before,
        inside,
        after,
    )


# Collects the warnings of the package that a piece of code causes, and where they point to.
WARNED = """
import tracemalloc, warnings
def warned(work):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        work()
    assert all(entry.category is fa.FrozenArenaWarning for entry in seen), seen
    assert all(entry.filename == "<string>" for entry in seen), seen
    return [str(entry.message) for entry in seen]
def block():
    with frozen_arena() as arena:
        data = [str(number) * 2 for number in range(1000)]
    held.append((arena, data))
held = []
"""


def test_traces_that_the_first_block_costs_are_warned_of() -> None:
    run_python(
        WARNED
        + """
tracemalloc.start()
before = bytearray(1 << 20)
(message,) = warned(block)
assert "tracemalloc" in message and "lost" in message, message
assert tracemalloc.get_object_traceback(before) is None
assert warned(block) == []
"""
    )


STOPPED_INSIDE = """
block()
tracemalloc.start()
def stop_inside():
    with frozen_arena() as arena:
        early = [str(number) * 2 for number in range(1000)]
        tracemalloc.stop()
        late = [str(number) * 3 for number in range(1000)]
    held.append((arena, early, late))
messages = warned(stop_inside)
arena, early, late = held[-1]
assert arena.state == "sealed" and early[77] in arena
"""


def test_hooks_that_are_dropped_while_a_block_is_open_are_warned_of() -> None:
    run_python(
        WARNED
        + STOPPED_INSIDE
        + """
(message,) = messages
assert "hooks" in message and "is not frozen" in message, message
assert late[77] not in arena
assert warned(block) == []
""",
        env={"PYTHONMALLOC": "pymalloc"},
    )


def test_hooks_that_stay_below_those_of_tracemalloc_outlive_its_stop_inside_a_block() -> None:
    run_python(
        WARNED
        + STOPPED_INSIDE
        + """
assert messages == [] and late[77] in arena
""",
        env={"PYTHONMALLOC": "pymalloc_debug"},
    )


def test_allocator_that_somebody_puts_back_is_named_by_status_and_mended_by_the_next_block() -> (
    None
):
    run_python(
        WARNED
        + """
import ctypes
class Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
def hooks():
    (found,) = [check for check in fa.status().checks if check.name == "hooks"]
    return found
RAW, older = 0, Allocator()
ctypes.pythonapi.PyMem_GetAllocator(RAW, ctypes.byref(older))
assert hooks().ok and "not installed yet" in hooks().detail
block()
assert hooks().ok and "RAW" in hooks().detail
ctypes.pythonapi.PyMem_SetAllocator(RAW, ctypes.byref(older))
broken = hooks()
assert not broken.ok and "older allocator" in broken.detail and "enter a block" in broken.remedy
block()
assert hooks().ok and hooks().remedy is None
"""
    )


def test_traces_of_what_a_block_allocates_can_be_taken_while_it_is_open() -> None:
    run_python(
        """
        import tracemalloc
        tracemalloc.start(2)
        with frozen_arena() as arena:
            data = [[str(number) * 2] for number in range(1000)]
            snapshot = tracemalloc.take_snapshot()
        assert arena.state == "sealed"
        assert snapshot.statistics("lineno")
        tracemalloc.clear_traces()
        tracemalloc.reset_peak()
        del data[:500]
        gc.collect()
        """
    )


def test_tracing_keeps_its_limit_of_frames() -> None:
    run_python(
        """
        import tracemalloc
        tracemalloc.start(7)
        with frozen_arena() as arena:
            data = [str(number) * 2 for number in range(1000)]
        assert tracemalloc.is_tracing() and tracemalloc.get_traceback_limit() == 7
        """
    )


def test_count_of_allocated_blocks_stays_plausible() -> None:
    run_python(
        """
        before = sys.getallocatedblocks()
        for number in range(20):
            with frozen_arena() as arena:
                data = [[str(part) * 2] for part in range(5000)]
        after = sys.getallocatedblocks()
        assert after >= 0 and abs(after - before) < 300_000, (before, after)
        """
    )


@pytest.mark.skipif(not IS_DEBUG_BUILD, reason="for debug builds")
def test_debug_build_ends_without_a_failed_assertion() -> None:
    finished = run_python(WORK + "held = [work('one'), work('two')]")
    assert "Assertion" not in finished.stderr
