"""`trace_writes()`: who wrote to sealed memory, by Python line, and nothing broken by looking."""

from __future__ import annotations

import signal
import sys

import frozen_arena
import pytest
from forking import run_python

pytestmark = pytest.mark.skipif(
    not frozen_arena.status().available, reason="arenas do not work on this interpreter"
)
only_with_immortals = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="on 3.11 reading counts, and counting is writing"
)

DATA = """
with frozen_arena("data") as arena:
    data = [[number, str(number)] for number in range(20_000)]
    keyed = {f"key {number}": [number] for number in range(5_000)}
    raw = bytearray(100_000)
"""


def test_a_write_from_bytecode_from_a_builtin_and_from_an_extension_is_named_by_its_line() -> None:
    run_python(
        DATA
        + """
import array, ctypes, struct
item = data[7]
reached = ctypes.addressof((ctypes.c_char * len(raw)).from_buffer(raw))

def bytecode():
    item[0] = None  # the line

def builtin():
    data[9000].append("new")  # the line

def c_extension():
    struct.pack_into("q", raw, 50_000, 7)  # the line

found = {}
for function in (bytecode, builtin, c_extension):
    with arena.trace_writes() as writes:
        function()
    lines = [write for write in writes if write.line.function == function.__name__]
    assert lines, (function, str(writes))
    wrote = lines[-1]
    assert wrote.line.line == function.__code__.co_firstlineno + 1, str(writes)
    assert wrote.line.file == function.__code__.co_filename
    assert wrote.stack[1].function == "<module>"
    assert wrote.thread == threading.get_native_id()
    assert wrote.lane in ("objects", "payload")
    assert wrote.library and os.path.isabs(wrote.library), wrote
    found[function.__name__] = (wrote.type.rpartition(".")[2], wrote.field)
assert found["bytecode"] == ("list", "items[0]"), found
buffer = "bytes" if sys.version_info >= (3, 15) else "bytearray"  # which holds the bytes itself
assert found["builtin"][0] == "list" and found["c_extension"][0] == buffer, found
"""
    )


@only_with_immortals
def test_reading_writes_nothing_and_the_block_says_so() -> None:
    run_python(
        DATA
        + """
def handler():
    return sum(len(item[1]) for item in data) + len(keyed["key 7"])

handler()
with arena.trace_writes() as writes:
    handler()
    assert not writes, writes
assert not writes and len(writes) == 0 and list(writes) == []
assert str(writes) == "nothing was written to sealed memory"
"""
    )


@only_with_immortals
def test_one_write_is_recorded_for_each_os_page_and_all_are_allowed() -> None:
    run_python(
        DATA
        + """
with fa.trace_writes() as writes:
    for item in data:
        item[0] = None
    seen = len(writes)
    first = writes[0]
assert all(item[0] is None for item in data)
assert seen == len(writes) == fa.sharing().private_os_pages > 10, (seen, fa.sharing())
assert len({write.address // 4096 for write in writes}) == len(writes)
assert first.address == writes[0].address and first.to_dict()["lane"] == "payload"
assert (first.field, writes[0].field, writes[0].type) == ("", "items[0]", "list")
assert not writes.truncated
data[0][0] = 1  # after the block nothing is traced
assert len(writes) == seen
"""
    )


@only_with_immortals
def test_a_full_record_says_so_and_everything_after_it_is_allowed() -> None:
    run_python(
        DATA
        + """
with arena.trace_writes(limit=3) as writes:
    for item in data:
        item[0] = None
assert len(writes) == 3 and writes.truncated
assert "limit=3" in str(writes)
for limit, error in ((0, ValueError), (2_000_000, ValueError), ("3", TypeError), (True, TypeError)):
    try:
        arena.trace_writes(limit=limit)
    except error:
        continue
    raise AssertionError(limit)
"""
    )


@only_with_immortals
def test_a_child_of_the_block_is_not_traced_and_may_write() -> None:
    run_python(
        DATA
        + """
def child():
    for item in data:
        item[0] = None
    return [len(writes), str(writes), fa.sharing().private_os_pages]

with arena.trace_writes() as writes:
    data[0][0] = None
    before = len(writes)
    count, said, private = fork_and_report(child)
    assert count == 0 and private > 10, (count, private)
    assert len(writes) == before
    data[10_000][0] = None  # the parent still is
    assert len(writes) == before + 1
"""
    )


@only_with_immortals
def test_writes_of_other_threads_carry_their_own_stack() -> None:
    run_python(
        DATA
        + """
def change(first):
    for item in data[first::4]:
        item[0] = threading.get_ident()

with arena.trace_writes(limit=100_000) as writes:
    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert len({write.address // 4096 for write in writes}) == len(writes) > 10
changes = [write for write in writes if write.line.function == "change"]
assert len(changes) > 10 and all(write.stack[1].function == "Thread.run" for write in changes)
assert {write.thread for write in changes} <= {thread.native_id for thread in threads}
"""
    )


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_a_real_crash_still_ends_the_process_and_faulthandler_tells_of_it(when: str) -> None:
    finished = run_python(
        f"""
import faulthandler, ctypes
faulthandler.disable()
if {when!r} == "before":
    faulthandler.enable()
"""
        + DATA
        + f"""
with arena.trace_writes() as writes:
    data[0][0] = None
assert writes
if {when!r} == "after":
    faulthandler.enable()
with arena.trace_writes() as writes:
    data[10_000][0] = None
    print("crashes now", flush=True)
    ctypes.string_at(8)
""",
        status=-signal.SIGSEGV,
    )
    assert "crashes now" in finished.stdout
    assert finished.stderr.count("Segmentation fault") == (when != "never")


def test_another_handler_of_sigsegv_gets_what_is_not_ours_and_is_back_afterwards() -> None:
    run_python(
        """
import ctypes, mmap, signal
libc = ctypes.CDLL(None)
"""
        + DATA
        + """
CALLS = []
signal.signal(signal.SIGSEGV, lambda *_: CALLS.append(1))
with arena.trace_writes() as writes:
    data[0][0] = None
    os.kill(os.getpid(), signal.SIGSEGV)  # sent by somebody: no fault of ours
    for _ in range(3):
        pass
assert CALLS == [1] and writes
os.kill(os.getpid(), signal.SIGSEGV)
for _ in range(3):
    pass
assert CALLS == [1, 1]
"""
    )


def test_two_blocks_at_once_a_second_use_and_a_deaf_thread_are_refused() -> None:
    run_python(
        DATA
        + """
import signal
with arena.trace_writes() as writes:
    try:
        with fa.trace_writes():
            raise SystemExit("two at once")
    except fa.ArenaStateError as error:
        assert "already" in str(error)
try:
    with writes:
        raise SystemExit("used twice")
except fa.ArenaStateError as error:
    assert "again" in str(error)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGSEGV})
try:
    with arena.trace_writes():
        raise SystemExit("deaf")
except fa.Unsupported as error:
    assert "blocks SIGSEGV" in str(error)
"""
    )


def test_an_arena_that_is_not_sealed_or_none_at_all_is_not_traced() -> None:
    run_python(
        """
with fa.trace_writes() as writes:
    pass
assert not writes
arena = frozen_arena()
try:
    with arena as building:
        raise KeyError
except KeyError:
    pass
with building.trace_writes() as writes:
    pass
assert not writes
"""
    )


@only_with_immortals
def test_a_system_call_into_protected_memory_fails_as_documented() -> None:
    run_python(
        DATA
        + """
reader, writer = os.pipe()
os.write(writer, b"x" * 100)
with arena.trace_writes() as writes:
    try:
        os.readv(reader, [memoryview(raw)[50_000:50_010]])
    except OSError as error:
        assert error.errno == 14, error  # EFAULT
    else:
        raise AssertionError("the kernel wrote")
assert os.readv(reader, [memoryview(raw)[50_000:50_010]]) == 10
"""
    )
