"""Giving copies back beside forks: what forks cost afterwards, and forks in the middle of it."""

from __future__ import annotations

import platform

import pytest
from forking import HAS_IMMORTAL_OBJECTS, run_python

KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])

# Data whose counts are written by readers on every version, in OS pages of the usual size.
COUNTED = f"""
COUNTED = {{}} if {not HAS_IMMORTAL_OBJECTS} else {{"keep_mortal": (int, float)}}
def read(data):
    for row in data:
        for item in row:
            assert item is not None
with frozen_arena("rows", reshare="never", huge_pages="never", **COUNTED) as arena:
    data = [[n + 0.5, n + 1000, float(n)] for n in range(40_000)]
"""


@pytest.mark.skipif(KERNEL < (5, 13), reason="the kernel keeps what was copied in mind")
def test_after_all_has_been_given_back_fork_copies_no_page_tables_of_it() -> None:
    run_python(
        COUNTED
        + """
def copied_by_fork():
    lane = arena.sharing().lanes["objects"]  # what is in the page tables of a child at its start
    return lane.resident_os_pages
read(data)
before = fork_and_report(copied_by_fork)
fa.reshare()
assert arena.sharing().lanes["objects"].private_os_pages <= 2
read(data)  # copies again; what was given back before is no obstacle
fa.reshare()
after = fork_and_report(copied_by_fork)
assert before > 700, before
assert after <= 2 * 512, after  # the granules in which something is held, at most two
assert sum(row[1] for row in data) == sum(range(1000, 41_000))
"""
    )


def test_min_copied_bounds_what_is_copied_and_not_the_time() -> None:
    run_python(
        COUNTED
        + """
page = os.sysconf("SC_PAGE_SIZE")
def copied():
    return arena.sharing().lanes["objects"].private_bytes
def worker():
    most, calls, useful = 0, 0, 0
    for start in range(0, len(data), 100):
        read(data[start : start + 100])
        most = max(most, copied())
        calls += 1
        useful += fa.reshare(min_copied=64 * page) > 0
    return most, calls, useful, fa.reshare(min_copied=1 << 40), copied()
most, calls, useful, nothing, left = fork_and_report(worker)
assert useful >= 3 and useful < calls / 2, (useful, calls)
assert most <= 3 * 64 * page, most
assert nothing == 0 and left <= 70 * page, (nothing, left)
def first_call_in_a_child():
    read(data)
    return fa.reshare(min_copied=500 * page)
assert fork_and_report(first_call_in_a_child) >= 500 * page
"""
    )


def test_wrong_min_copied_is_an_error_that_says_what_is_accepted() -> None:
    run_python(
        """
for wrong, error, word in [
    (dict(min_copied=1.5), TypeError, "int"),
    (dict(min_copied=True), TypeError, "int"),
    (dict(min_copied=-1), ValueError, "at least 0"),
    (dict(min_copied=1, payload=True), ValueError, "alone"),
    (dict(min_copied=1, budget=0.1), ValueError, "alone"),
]:
    try:
        fa.reshare(**wrong)
    except error as raised:
        assert word in str(raised), raised
    else:
        raise AssertionError(wrong)
"""
    )


def test_hashes_of_mortal_texts_are_there_before_a_reader_asks() -> None:
    run_python(
        """
def copied():
    return arena.sharing().lanes["objects"].private_os_pages
with frozen_arena("texts", reshare="never", keep_mortal=(str, bytes)) as arena:
    texts = [f"text {n} \\u00e9" for n in range(20_000)]
    blocks = [b"%d bytes" % n for n in range(20_000)]
def worker():
    names = set(map(hash, texts)), set(map(hash, blocks))
    before = copied()
    fa.reshare()
    return before, copied(), len(names[0]) + len(names[1])
before, left, count = fork_and_report(worker)
assert before > 300, before
assert left <= 2, left
assert count > 39_000
"""
    )


def test_giving_back_in_one_thread_while_another_forks_loses_nothing() -> None:
    run_python(
        COUNTED
        + """
import threading
failed, given_back = [], []
stop = threading.Event()
def give_back():
    try:
        while not stop.is_set():
            read(data)
            given_back.append(fa.reshare())
    except BaseException as error:
        failed.append(error)
expected = sum(row[1] for row in data)
threads = [threading.Thread(target=give_back, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
def child():
    first = fa.reshare()
    total = sum(row[1] for row in data)
    return total, fa.reshare() > 0, arena.sharing().lanes["objects"].private_os_pages
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the point
    for _ in range(10):
        total, some, left = fork_and_report(child)
        assert total == expected and some and left <= 40, (total, some, left)
stop.set()
for thread in threads:
    thread.join()
assert not failed, failed
assert sum(row[1] for row in data) == expected and any(given_back)
"""
    )


def test_a_refused_remap_changes_nothing_for_readers() -> None:
    run_python(
        COUNTED
        + """
import resource
def worker():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, -1))  # less than is mapped: nothing new
    read(data)
    given_back = fa.reshare()
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    return given_back, sum(row[1] for row in data)
given_back, total = fork_and_report(worker)
assert given_back > 700 * os.sysconf("SC_PAGE_SIZE"), given_back
assert total == sum(range(1000, 41_000))
"""
    )
