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
with frozen_arena("rows", **COUNTED) as arena:
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
with frozen_arena("more", **COUNTED) as more:
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
    counts = {sys.getrefcount(row[0]) for row in data}
    return lost, len(counts), left
lost, kinds, left = fork_and_report(worker)
assert lost == [] and kinds == 1, (lost, kinds)
assert left <= 2, left
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
