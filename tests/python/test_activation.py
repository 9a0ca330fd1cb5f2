"""Activation: the whole process builds in an arena until the first fork that is worth it."""

from __future__ import annotations

import pytest
from forking import run_python

# Data worth a freeze, and what a child shares of it.
DATA = """
def load():
    return {f"key {n}": {"number": n + 0.5, "text": f"text {n}"} for n in range(60_000)}
def read(data):
    return sum(len(key) + len(record["text"]) for key, record in data.items())
def states():
    return [arena.state for arena in fa.arenas()]
def copied():
    return fa.sharing().lanes["payload"].private_os_pages
"""


def test_the_first_fork_that_is_worth_it_freezes_what_all_threads_have_built() -> None:
    run_python(
        DATA
        + """
fa.activate()
data = load()
other = in_thread(lambda: [f"thread {n}" for n in range(1000)])
assert states() == ["building"]
def worker():
    return states(), read(data), copied()
in_child, total, pages = fork_and_report(worker)
assert in_child == states() == ["sealed"]
(arena,) = fa.arenas()
assert arena.name == "activation" and arena.report.frozen > 180_000
assert all(one in arena for one in (data, data["key 7"], other, other[999]))
assert total == read(data) and pages <= 8, pages
"""
    )


def test_afterwards_everybody_allocates_as_usual() -> None:
    """A parent that forks for each batch does not make each batch immortal."""
    run_python(
        DATA
        + """
fa.activate()
data = load()
fork_and_report(states)
(arena,) = fa.arenas()
size = arena.nbytes
class Batch(list):
    pass
ended = []
for number in range(100):
    batch = Batch([number, bytearray(8 << 20), {"number": number}])
    weakref.finalize(batch, ended.append, number)
    assert batch not in arena and batch[2] not in arena
    pid = os.fork()
    if pid == 0:
        os._exit(0 if batch[0] == number and len(data) == 60_000 else 1)
    assert os.waitpid(pid, 0)[1] == 0
del batch
assert ended == list(range(100))
assert fa.arenas() == [arena] and arena.nbytes == size
""",
        timeout=120,
    )


def test_a_fork_with_less_freezes_nothing_and_both_go_on_collecting() -> None:
    """As a daemon does: it forks first and loads in the child."""
    run_python(
        DATA
        + """
fa.activate()
small = [object() for _ in range(1000)]
def daemon():
    before = states()
    data = load()
    in_worker = fork_and_report(lambda: (states(), read(data), copied()))
    return before, in_worker, states(), small[0] is not None
before, (in_worker, total, pages), after, alive = fork_and_report(daemon)
assert before == ["abandoned", "building"], before
assert in_worker == after == ["abandoned", "sealed"], (in_worker, after)
assert pages <= 8 and alive
assert states() == ["building"]
data = load()
assert fork_and_report(states) == ["sealed"]
"""
    )


def test_a_daemon_that_closes_all_descriptors_loses_neither_its_data_nor_its_files() -> None:
    run_python(
        DATA
        + """
import tempfile
fa.activate(min_new=1 << 40)
before = load()
def daemon():
    os.closerange(3, 1 << 10)  # and with them those of the arena
    files = []
    for _ in range(20):
        files.append(tempfile.TemporaryFile())
        files[-1].write(b"m" * 100_000)
        files[-1].flush()
    data = load()
    total = fork_and_report(lambda: (states(), read(data), read(before)))
    for file in files:
        file.seek(0)
        assert file.read() == b"m" * 100_000
    return total
reader, writer = os.pipe()
os.dup2(writer, 2000)
pid = os.fork()
if pid == 0:
    answer = json.dumps(daemon())
    os.write(2000, answer.encode())
    os._exit(0)
os.close(writer)
os.close(2000)
assert os.waitpid(pid, 0)[1] == 0
states_there, *totals = json.loads(os.read(reader, 1 << 16))
assert states_there[-1] == "building", states_there
assert totals == [read(before)] * 2
os.closerange(3, reader)
arena = fa.freeze()
assert arena.state == "sealed" and arena.report.unsealed_bytes == 0
assert fork_and_report(lambda: read(before)) == read(before)
"""
    )


def test_min_new_says_what_is_worth_it() -> None:
    run_python(
        """
fa.activate(min_new=1 << 20)
data = [n + 0.5 for n in range(100_000)]
assert fork_and_report(lambda: [arena.state for arena in fa.arenas()]) == ["sealed"]
fa.activate(min_new=1 << 30)
data = [n + 0.5 for n in range(100_000)]
fork_and_report(lambda: 1)
assert [arena.state for arena in fa.arenas()] == ["sealed", "building"]
"""
    )


def test_what_was_freed_again_counts_for_nothing() -> None:
    """A program that reads its configuration, forks as a daemon, and loads in the child."""
    run_python(
        DATA
        + """
fa.activate()
temporary = load()
del temporary
def daemon():
    data = load()
    return fork_and_report(lambda: data["key 5000"] in fa.arenas()[-1] and states()[-1])
assert fork_and_report(daemon) == "sealed"
assert states() == ["building"]
"""
    )


def test_a_limit_below_min_new_is_worth_a_freeze_when_it_is_reached() -> None:
    run_python(
        DATA
        + """
fa.activate(limit=4 << 20)
data = load()
assert fork_and_report(lambda: read(data)) == read(data)
assert states() == ["sealed"] and fa.arenas()[0].report.overflow_bytes > 0
"""
    )


def test_finalizers_of_garbage_may_take_locks_that_other_fork_hooks_hold() -> None:
    run_python(
        DATA
        + """
import concurrent.futures, logging
pool = concurrent.futures.ThreadPoolExecutor(1)
class Closing:
    def __init__(self):
        self.itself = self
    def __del__(self):
        pool.submit(ended.append, 1)
        logging.getLogger("closing").debug("closed")
ended = []
fa.activate()
data = load()
gc.disable()
Closing()
assert fork_and_report(lambda: read(data)) == read(data)
pool.shutdown()
assert states() == ["sealed"] and ended == [1]
"""
    )


def test_an_interrupt_during_the_freeze_reaches_the_program() -> None:
    run_python(
        DATA
        + """
def interrupt(type_):
    raise KeyboardInterrupt
fa.activate(keep_mortal=interrupt)
data = load()
try:
    os.fork()
except KeyboardInterrupt:
    pass
else:
    os._exit(1)
assert states() == ["abandoned"]
assert fork_and_report(lambda: read(data)) == read(data)
fa.activate()
fa.freeze()
"""
    )


def test_threads_that_fork_freeze_and_activate_at_once_end_with_one_of_each() -> None:
    run_python(
        """
sys.setswitchinterval(1e-6)
def try_to(call, error):
    try:
        call()
    except error:
        return
    done.append(1)
def at_once(call, error=()):
    done.clear()
    threads = [threading.Thread(target=try_to, args=(call, error)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done)
done = []
def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
kept = []
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
for number in range(20):
    assert at_once(fa.activate, fa.ArenaStateError) == 1
    kept.append([number + n + 0.5 for n in range(50_000 if number % 2 else 500_000)])
    if number % 2:
        assert at_once(fa.freeze, fa.ArenaStateError) == 1
    else:
        assert at_once(fork) == 4
        assert fa.arenas()[-1].state == "sealed"
assert [arena.state for arena in fa.arenas()] == ["sealed"] * 20
""",
        timeout=120,
    )


def test_a_report_that_cannot_be_printed_changes_nothing() -> None:
    run_python(
        """
class Gone:
    def write(self, text):
        raise OSError("gone")
fa.activate(report=True)
data = [[1.5]]
sys.stderr, kept = Gone(), sys.stderr
arena = fa.freeze()
sys.stderr = None
fa.activate(report=True)
assert fa.freeze().state == arena.state == "sealed"
sys.stderr = kept
"""
    )


def test_freeze_does_it_on_command_and_again_after_another_activation() -> None:
    run_python(
        """
kept = []
for number in range(3):
    fa.activate(name=f"number {number}")
    data = {"number": [number]}
    kept.append(data)
    arena = fa.freeze()
    assert arena.state == "sealed" and arena.name == f"number {number}" and data in arena
    assert {"number": [number]} not in arena
assert len(fa.arenas()) == 3
"""
    )


def test_any_thread_may_fork_or_freeze() -> None:
    run_python(
        DATA
        + """
fa.activate()
data = load()
assert in_thread(lambda: fork_and_report(lambda: read(data))) == read(data)
assert states() == ["sealed"]
in_thread(fa.activate)
more = load()
assert in_thread(fa.freeze).state == "sealed" and more["key 5000"] in fa.arenas()[1]
"""
    )


def test_a_block_inside_is_a_block_and_holds_the_freeze_back() -> None:
    run_python(
        DATA
        + """
fa.activate()
data = load()
with frozen_arena("inner") as inner:
    catalog = [n + 0.5 for n in range(1000)]
    fork_and_report(lambda: 1)
    assert states() == ["building", "building"]
    try:
        fa.freeze()
    except fa.ArenaStateError as error:
        assert "leave it before" in str(error)
    else:
        raise AssertionError
assert inner.state == "sealed" and catalog in inner
later = [object()]
assert later not in inner
fork_and_report(lambda: 1)
assert states() == ["sealed", "sealed"] and later in fa.arenas()[0]
"""
    )


def test_the_collector_goes_on_as_usual() -> None:
    run_python(
        """
fa.activate()
assert gc.isenabled()
ended = []
class Node:
    pass
for number in range(20_000):
    node = Node()
    node.itself = node
    if number % 1000 == 0:
        weakref.finalize(node, ended.append, number)
assert len(ended) > 10, "cyclic garbage is collected on the way"
gc.disable()
data = [[n] for n in range(300_000)]
assert not gc.isenabled()
fa.freeze()
assert not gc.isenabled()
"""
    )


def test_code_that_was_imported_and_defined_meanwhile_works_as_before() -> None:
    run_python(
        DATA
        + """
fa.activate()
import dataclasses, decimal, enum, http.client, logging, unittest.mock
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Point:
    x: int = 0
    def double(self):
        return Point(self.x * 2)
cache = {}
def remember(key, make=lambda: []):
    return cache.setdefault(key, make())
data = load()
def worker():
    remember("a").append(decimal.Decimal("1.5"))
    Point.triple = lambda self: Point(self.x * 3)
    Colour.RED.extra = 1
    mock = unittest.mock.Mock(return_value=3)
    return len(cache), Point(2).double().x, Point(2).triple().x, Colour["RED"].value, mock()
for _ in range(3):
    assert fork_and_report(worker) == [1, 4, 6, 1, 3]
assert cache == {} and not hasattr(Point, "triple")
assert worker() == (1, 4, 6, 1, 3)
logging.getLogger("a").warning("still here")
"""
    )


@pytest.mark.parametrize("how", ["pass", "sys.exit(0)", "fork_and_report(lambda: 1)"])
def test_a_process_that_never_freezes_ends_as_any_other(how: str) -> None:
    finished = run_python(
        f"""
import atexit
atexit.register(print, "exit function")
class Last:
    def __del__(self):
        print("finalizer")
fa.activate()
last = Last()
data = [[n] for n in range(1000)]
{how}
"""
    )
    assert finished.stdout.split("\n")[:2] == ["exit function", "finalizer"], finished.story()
    assert finished.stderr == ""


@pytest.mark.parametrize(
    ("flags", "env"),
    [
        (("-X", "dev"), {}),
        ((), {"PYTHONMALLOC": "debug"}),
        ((), {"PYTHONMALLOC": "malloc"}),
        (("-X", "tracemalloc"), {}),
    ],
)
def test_it_works_on_every_base_allocator(flags: tuple[str, ...], env: dict[str, str]) -> None:
    run_python(
        DATA
        + """
import warnings
warnings.simplefilter("ignore", fa.FrozenArenaWarning)  # tracemalloc is started again
fa.activate()
data = load()
assert fork_and_report(lambda: (states(), read(data))) == [["sealed"], read(data)]
""",
        flags=flags,
        env=env,
    )


def test_hosts_that_fork_from_a_thread_or_twice_share_it() -> None:
    run_python(
        DATA
        + """
import concurrent.futures, multiprocessing
fa.activate()
data = load()
def job(_):
    return read(data), copied()
context = multiprocessing.get_context("fork")
with context.Pool(2, maxtasksperchild=2) as pool:
    results = pool.map(job, range(8), chunksize=1)
with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
    results += executor.map(job, range(4))
assert {total for total, _ in results} == {read(data)}
payload = fa.sharing().lanes["payload"].os_pages
assert max(pages for _, pages in results) < payload // 50, (payload, results)
assert states() == ["sealed"]
"""
    )


def test_the_report_goes_to_standard_error_when_asked_for() -> None:
    finished = run_python("fa.activate(report=True)\ndata = [[1.5]]\nfa.freeze()\n")
    assert finished.stderr.startswith("frozen arena, process "), finished.stderr
    assert "frozen + " in finished.stderr


def test_wrong_calls_say_what_to_do() -> None:
    run_python(
        """
def refused(error, words, call, **keywords):
    try:
        call(**keywords)
    except error as raised:
        assert words in str(raised), raised
    else:
        raise AssertionError(words)
refused(fa.ArenaStateError, "call activate() first", fa.freeze)
refused(TypeError, "min_new takes a number of bytes", fa.activate, min_new="8M")
refused(ValueError, "min_new takes a positive number", fa.activate, min_new=0)
refused(TypeError, "takes no argument 'threads'", fa.activate, threads="all")
refused(ValueError, "huge_pages can be", fa.activate, huge_pages="always")
assert fa.arenas() == []
fa.activate()
refused(fa.ArenaStateError, "activated already; call freeze() first", fa.activate)
fa.freeze()
refused(fa.ArenaStateError, "call activate() first", fa.freeze)
"""
    )
