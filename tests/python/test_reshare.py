"""What a process has copied and what says the same as before again goes back; nothing else does."""

from __future__ import annotations

from forking import HAS_IMMORTAL_OBJECTS, run_python

# Data whose counts are written by readers on every version.
COUNTED = f"""
COUNTED = {{}} if {not HAS_IMMORTAL_OBJECTS} else {{"keep_mortal": (int, float)}}
def copied(arena):
    return arena.sharing().lanes["objects"].private_os_pages
def read(data):
    for row in data:
        for item in row:
            assert item is not None
with frozen_arena("rows", reshare="never", **COUNTED) as arena:
    data = [[n + 0.5, n + 1000, float(n)] for n in range(50_000)]
"""


def test_a_worker_that_has_read_gives_back_what_it_copied() -> None:
    run_python(
        COUNTED
        + """
def worker():
    read(data)
    before = copied(arena)
    given_back = arena.reshare()
    return before, given_back, copied(arena), sum(row[1] for row in data)
before, given_back, left, total = fork_and_report(worker)
assert before > 500, before
assert left <= 2, left
assert given_back == (before - left) * os.sysconf("SC_PAGE_SIZE"), (before, given_back, left)
assert total == sum(range(1000, 51_000))
"""
    )


def test_what_the_worker_holds_stays_copied_until_it_lets_go() -> None:
    run_python(
        COUNTED
        + """
def worker():
    held = [row[0] for row in data[::10]]
    arena.reshare()
    while_held = copied(arena)
    counts = [sys.getrefcount(row[0]) for row in data[:20]]
    held = None
    arena.reshare()
    return while_held, counts, copied(arena)
while_held, counts, left = fork_and_report(worker)
assert while_held > 100, while_held
assert counts[0] == counts[1] + 1 == counts[10], counts
assert left <= 2, left
"""
    )


def test_what_the_worker_has_changed_stays_changed() -> None:
    run_python(
        COUNTED
        + """
def worker():
    data[0][0] = "changed"
    data[1].clear()
    del data[2]
    data[-1].append("new")
    read(data)
    for payload in (False, True):
        arena.reshare(payload=payload)
    return data[0], data[1], len(data), data[-1], data[7], gc.collect() >= 0
first, second, length, last, other, _ = fork_and_report(worker)
assert first[0] == "changed" and second == [] and length == 49_999, (first, second, length)
assert last[-1] == "new" and other == [8.5, 1008, 8.0], (last, other)
assert data[0][0] == 0.5 and len(data) == 50_000
"""
    )


def test_payload_comes_back_only_when_asked_for() -> None:
    run_python(
        COUNTED
        + """
def worker():
    for row in data:
        row.append(row.pop())
    payload = lambda: arena.sharing().lanes["payload"].private_os_pages
    before = payload()
    arena.reshare()
    kept = payload()
    fa.reshare(payload=True)
    return before, kept, payload(), data[5]
before, kept, left, row = fork_and_report(worker)
assert before == kept > 100, (before, kept)
assert left == 0, left
assert row == [5.5, 1005, 5.0]
"""
    )


def test_all_arenas_are_asked_at_once_and_the_open_one_is_left_alone() -> None:
    run_python(
        COUNTED
        + """
with frozen_arena("more", reshare="never", **COUNTED) as more:
    rest = [[n + 0.5, n] for n in range(50_000)]
def worker():
    read(data)
    read(rest)
    before = fa.sharing().private_bytes
    with frozen_arena("open"):
        fresh = [object()]
        given_back = fa.reshare()
    return before, given_back, more.sharing().lanes["objects"].private_os_pages
before, given_back, left = fork_and_report(worker)
assert given_back >= before - 10 * os.sysconf("SC_PAGE_SIZE") > 1_000_000, (before, given_back)
assert left <= 2, left
"""
    )


def test_an_arena_that_is_being_built_is_an_error_and_a_dead_one_has_nothing() -> None:
    run_python(
        """
with frozen_arena("open") as arena:
    data = [object()]
    try:
        arena.reshare()
    except fa.ArenaStateError as error:
        assert "leave the block first" in str(error), error
    else:
        raise AssertionError("no error")
    assert arena.state == "building"
assert arena.state == "sealed" and arena.reshare() >= 0
try:
    with frozen_arena("failed") as failed:
        kept = [object()]
        raise ValueError
except ValueError:
    pass
assert failed.state == "abandoned" and failed.reshare() == 0
assert fa.reshare() >= 0
"""
    )


def test_readers_in_other_threads_lose_nothing() -> None:
    """Threads count references up and down while copies are dropped under them."""
    run_python(
        COUNTED
        + """
def worker():
    go = True
    lost = []
    def reader(offset):
        while go:
            held = [row[0] for row in data[offset::97]]
            if any(value != row[0] for value, row in zip(held, data[offset::97])):
                lost.append(offset)
    threads = [threading.Thread(target=reader, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        arena.reshare()
    go = False
    for thread in threads:
        thread.join()
    del thread, threads
    gc.collect()
    arena.reshare()
    left = copied(arena)
    why = None if left <= 2 else (str(arena.explain()), arena.reshare(), copied(arena))
    counts = {sys.getrefcount(row[0]) for row in data}
    return lost, len(counts), left, why
lost, kinds, left, why = fork_and_report(worker)
assert lost == [] and kinds == 1, (lost, kinds)
assert left <= 2, (left, why)
""",
        timeout=120,
    )


def test_without_proc_it_says_what_is_missing() -> None:
    run_python(
        COUNTED
        + """
for call in (arena.reshare, fa.reshare):
    try:
        call()
    except fa.Unsupported as error:
        assert "mount /proc" in str(error), error
    else:
        raise AssertionError("no error")
""",
        env={"FROZEN_ARENA_TEST_FAULTS": "no_proc"},
    )


def test_without_files_nothing_is_given_back_and_nothing_is_lost() -> None:
    run_python(
        COUNTED
        + """
read(data)
assert arena.reshare(payload=True) == 0
assert data[7] == [7.5, 1007, 7.0]
""",
        env={"FROZEN_ARENA_TEST_FAULTS": "no_memfd"},
    )


def test_with_a_budget_calls_give_back_all_of_it_in_a_share_of_the_time() -> None:
    """On a clock of its own: what a turn takes is what the test says."""
    run_python(
        COUNTED
        + """
from frozen_arena import _resharing
now = 100.0
def clock():
    global now
    now += 0.001  # so that a turn takes a millisecond
    return now
_resharing.perf_counter = clock
def worker():
    global now
    read(data)
    before = copied(arena)
    first = fa.reshare(budget=0.01)
    at_once = [fa.reshare(budget=0.01) for _ in range(50)]
    now += 0.2
    later = [first]
    for _ in range(20):
        later.append(fa.reshare(budget=0.01))
        now += 0.2
    return before, first, at_once, sum(later), copied(arena)
before, first, at_once, given_back, left = fork_and_report(worker)
assert first > 0 and set(at_once) == {0}, (first, at_once)
assert given_back == (before - left) * os.sysconf("SC_PAGE_SIZE") and left <= 2, (before, left)
"""
    )


def test_one_turn_is_bounded_however_large_the_arena_is() -> None:
    run_python(
        """
from frozen_arena._resharing import _COMPARED, _VISITED, Turns
asked = []
class Handle:
    def reshare(self, lane, first, visit, compare):
        asked.append((lane, first, visit, compare))
        return 10, (first + 5) % 15
class Sealed:
    state = "sealed"
    _handle = Handle()
class Building:
    state = "building"
turns = Turns()
arenas = [Sealed(), Building(), Sealed()]
given_back = [turns.take(arenas, 1) for _ in range(8)]
assert given_back == [10, 10, 10, 0, 10, 10, 10, 10], given_back
assert asked == [(0, first, _VISITED, _COMPARED) for first in (0, 5, 10, 0, 5, 10, 0)], asked
assert turns.take([], 1) == 0 and turns.take(arenas[1:2], 1) == 0
"""
    )


AUTO = (
    COUNTED
    + """
import time
with frozen_arena("auto", reshare="auto", **COUNTED) as auto:
    own = [[n + 0.5, n + 1000] for n in range(50_000)]
def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False
"""
)


OS_THREADS = """
def os_threads():
    return len(os.listdir("/proc/self/task"))
"""


def test_in_children_copies_go_back_by_themselves() -> None:
    run_python(
        AUTO
        + """
def worker():
    read(own)
    read(data)
    other = copied(arena)
    held = [row[0] for row in own]  # what is held is not given back
    while_held = copied(auto)
    held = None
    return while_held, wait_for(lambda: copied(auto) <= 2), other, copied(arena)
while_held, gone, other, other_left = fork_and_report(worker)
assert while_held > 100 and gone, while_held
assert other_left == other > 500, "reshare='never' leaves it alone"
"""
    )


def test_it_takes_no_more_than_its_share_of_the_time() -> None:
    """On a clock of its own: each look at it is a millisecond later."""
    run_python(
        """
from frozen_arena import _resharing
now, slept = 100.0, []
def clock():
    global now
    now += 0.001
    return now
def sleep(seconds):
    global now
    slept.append(seconds)
    now += seconds
class Handle:
    turns = 0
    def reshare(self, lane, first, visit, compare):
        global now
        self.turns += 1
        now += 0.002
        return (0, 0) if self.turns < 100 else None
class Sealed:
    state = "sealed"
    _handle = Handle()
_resharing.perf_counter, _resharing.sleep = clock, sleep
resharer = _resharing.Resharer(lambda: [Sealed()], lambda: True)
start = now
resharer._run()
assert Sealed._handle.turns == 100
assert 100 * 0.003 <= 0.011 * (now - start), (now - start)
assert now - start < 60, (now - start)
assert min(slept) >= 0.05
"""
    )


def test_children_reshare_by_default_where_everything_is_counted_and_parents_never() -> None:
    run_python(
        OS_THREADS
        + """
with frozen_arena():
    data = [object()]
assert os_threads() == 1
assert fork_and_report(os_threads) == (1 if HAS_IMMORTAL_OBJECTS else 2)
with frozen_arena(reshare="auto"):
    data = [object()]
with frozen_arena(reshare="auto"):
    data = [object()]
assert os_threads() == 1
assert fork_and_report(lambda: (os_threads(), fork_and_report(os_threads))) == [2, 2]
"""
    )


def test_a_child_without_such_an_arena_has_no_thread() -> None:
    run_python(
        OS_THREADS
        + """
with frozen_arena(reshare="auto") as arena:
    pass
try:
    with frozen_arena(reshare="auto"):
        raise ValueError
except ValueError:
    pass
with frozen_arena(reshare="never"):
    data = [object()]
assert fork_and_report(os_threads) == 1
"""
    )


def test_a_child_that_gets_no_thread_says_what_to_do_instead() -> None:
    finished = run_python(
        """
from frozen_arena import _resharing
def refuse(*_):
    raise RuntimeError("can't start new thread")
_resharing.start_new_thread = refuse
with frozen_arena(reshare="auto"):
    data = [object()]
assert fork_and_report(lambda: len(data)) == 1
"""
    )
    assert "can't start new thread; raise RLIMIT_NPROC, or call" in finished.stderr
    assert "frozen_arena.reshare(budget=0.01) between requests" in finished.stderr


def test_its_thread_takes_no_signal_that_the_program_has_blocked() -> None:
    run_python(
        AUTO
        + """
import signal
pid = os.fork()
if pid == 0:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    read(own)
    taken = {signal.sigwait({signal.SIGTERM, signal.SIGUSR1}) for _ in range(2)}
    os._exit(0 if taken == {signal.SIGTERM, signal.SIGUSR1} else 1)
assert os.waitpid(pid, 0)[1] == 0
assert fork_and_report(lambda: len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))) == 0
"""
    )


def test_an_activation_that_is_open_does_not_hold_it_back() -> None:
    run_python(
        AUTO
        + """
fa.activate()
def worker():
    read(own)
    return wait_for(lambda: copied(auto) <= 2)
assert fork_and_report(worker)
"""
    )


def test_while_a_block_is_open_it_waits() -> None:
    run_python(
        AUTO
        + """
def worker():
    with frozen_arena("next") as following:
        read(own)
        before = copied(auto)
        time.sleep(0.5)
        inside = copied(auto)
    return before, inside, wait_for(lambda: copied(auto) <= 2)
before, inside, gone = fork_and_report(worker)
assert inside >= before > 100 and gone, (before, inside)
"""
    )


def test_a_child_that_reshares_ends_as_any_other() -> None:
    """By returning, by sys.exit and by a signal, while turns are taken."""
    run_python(
        AUTO
        + """
import signal
_resharing = sys.modules["frozen_arena._resharing"]
_resharing._REST = 0.0
def end_in_child(how):
    pid = os.fork()
    if pid == 0:
        read(own)
        how()
        os.abort()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
for _ in range(10):
    assert end_in_child(lambda: os._exit(3)) == 3
    assert end_in_child(lambda: sys.exit(4)) == 4
    assert end_in_child(lambda: os.kill(os.getpid(), signal.SIGTERM)) == -signal.SIGTERM
"""
    )


def test_without_proc_it_stops_trying_and_says_nothing() -> None:
    finished = run_python(
        OS_THREADS
        + AUTO
        + """
assert fork_and_report(lambda: wait_for(lambda: os_threads() == 1))
""",
        env={"FROZEN_ARENA_TEST_FAULTS": "no_proc"},
    )
    assert finished.stderr == ""


def test_wrong_budget_is_an_error_that_says_what_is_accepted() -> None:
    run_python(
        """
for wrong, kind, word in [
    ({"budget": 0}, ValueError, "above 0"),
    ({"budget": 2}, ValueError, "at most 1"),
    ({"budget": "1%"}, TypeError, "number"),
    ({"budget": True}, TypeError, "number"),
    ({"budget": 0.01, "payload": True}, ValueError, "payload"),
]:
    try:
        fa.reshare(**wrong)
    except kind as error:
        assert word in str(error), error
    else:
        raise AssertionError(wrong)
"""
    )
