"""Faults between threads: beside a block, two blocks at once, threads="all", foreign frees."""

from __future__ import annotations

import pytest
from forking import run_python


def test_threads_that_allocate_beside_a_block_stay_in_the_ordinary_heap() -> None:
    run_python(
        """
        stop, started = threading.Event(), threading.Barrier(4)
        made = [[] for _ in range(3)]
        def churn(mine):
            started.wait()
            while not stop.is_set():
                mine.append([str(len(mine)) * 2, {len(mine): str(len(mine))}])
                if len(mine) > 2000:
                    del mine[:1000]
        threads = [threading.Thread(target=churn, args=(mine,)) for mine in made]
        for thread in threads:
            thread.start()
        started.wait()
        with frozen_arena() as arena:
            data = [[str(number) * 2] for number in range(100_000)]
        stop.set()
        for thread in threads:
            thread.join()
        assert arena.state == "sealed" and data[5][0] in arena
        assert not any(item in arena or item[0] in arena for mine in made for item in mine)
        assert sum(map(len, made)) > 0
        """
    )


def test_two_threads_with_a_block_each_at_the_same_time() -> None:
    run_python(
        """
        both = threading.Barrier(2)
        box = {}
        def build(name, sign):
            with frozen_arena(name) as arena:
                both.wait()
                data = [sign * (number % 9 + 1) for number in range(50_000)]
                both.wait()
            box[name] = (arena, data)
        pairs = (("one", "a"), ("two", "b"))
        threads = [threading.Thread(target=build, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (one, a), (two, b) = box["one"], box["two"]
        assert (one.state, two.state) == ("sealed", "sealed")
        # one letter is a shared object of the interpreter, so only the longer texts are asked for
        assert all(x in one and x not in two for x in a if len(x) > 1)
        assert all(x in two and x not in one for x in b if len(x) > 1)
        assert fork_and_report(lambda: [sum(map(len, a)), sum(map(len, b))])[0] == sum(map(len, b))
        """
    )


def test_block_of_a_thread_leaves_other_threads_and_later_work_alone() -> None:
    run_python(
        """
        def build():
            with frozen_arena("thread") as arena:
                return arena, [str(number) * 2 for number in range(1000)]
        arena, data = in_thread(build)
        assert arena.state == "sealed" and data[77] in arena
        assert in_thread(lambda: "".join(["la", "ter"]) in arena) is False
        assert fork_and_report(lambda: data[999]) == "999999"
        """
    )


def test_threads_all_routes_a_pool_that_loads() -> None:
    run_python(
        """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(str, range(100)))
            with frozen_arena(threads="all") as arena:
                data = list(pool.map(lambda n: [str(n) * 3, {n: str(n)}], range(5000)))
            after = list(pool.map(lambda n: str(n) * 4, range(100)))
        assert arena.state == "sealed"
        assert all(item in arena and item[0] in arena for item in data)
        assert not any(item in arena for item in after)
        def read():
            assert sum(len(item[0]) for item in data) > 5000
            return arena.sharing().private_os_pages
        # Idle threads wait inside `except queue.Empty`. The child drops their exceptions with
        # the threads, and from 3.14 on what their frames held before the freeze.
        assert fork_and_report(read) <= 8 or not HAS_IMMORTAL_OBJECTS
        """
    )


def test_free_lists_carry_nothing_out_of_a_block_for_all_threads() -> None:
    run_python(
        """
        with frozen_arena(threads="all") as arena:
            data = [str(number) * 2 for number in range(1000)]
        made = [[[] for _ in range(300)], [{} for _ in range(300)], [0.5 * n for n in range(300)]]
        assert data[5] in arena
        assert not any(item in arena for items in made for item in (items, *items))
        """
    )


def test_thread_that_starts_and_ends_inside_a_block_for_all_threads() -> None:
    run_python(
        """
        with frozen_arena(threads="all") as arena:
            data = [in_thread(lambda: [str(n) * 5 for n in range(200)]) for _ in range(20)]
        assert arena.state == "sealed"
        assert all(part in arena and part[100] in arena for part in data)
        """
    )


def test_threads_all_gives_way_to_a_block_of_a_threads_own() -> None:
    run_python(
        """
        box = {}
        def own():
            with frozen_arena("own") as arena:
                box["own"] = (arena, [str(number) * 2 for number in range(1000)])
        with frozen_arena("all", threads="all") as everything:
            in_thread(own)
            data = [str(number) * 3 for number in range(1000)]
        arena, mine = box["own"]
        assert (arena.state, everything.state) == ("sealed", "sealed")
        assert mine[77] in arena and mine[77] not in everything and data[77] in everything
        """
    )


def test_two_blocks_for_all_threads_at_once_are_either_nested_or_refused() -> None:
    run_python(
        """
        with frozen_arena("outer", threads="all") as outer:
            try:
                with frozen_arena("inner", threads="all") as inner:
                    data = [str(number) * 2 for number in range(1000)]
                assert data[77] in inner
            except fa.ArenaStateError:
                pass
            more = [str(number) * 3 for number in range(1000)]
        assert outer.state == "sealed" and more[77] in outer
        """
    )


def test_objects_of_a_block_are_dropped_by_other_threads_while_it_is_open_and_after() -> None:
    run_python(
        """
        class Thing: pass
        with frozen_arena() as arena:
            things = [[Thing(), str(number) * 2] for number in range(10_000)]
            rest = [[str(number) * 3] for number in range(10_000)]
            in_thread(things.clear)
            more = [[str(number) * 4] for number in range(10_000)]
        assert arena.state == "sealed"
        in_thread(rest.clear)
        in_thread(gc.collect)
        assert more[9_999] == ["9999" * 4]
        """
    )


def test_thread_with_a_block_that_ends_without_leaving_it() -> None:
    run_python(
        """
        box = {}
        def enter():
            box["block"] = frozen_arena("left open")
            box["arena"] = box["block"].__enter__()
            box["data"] = [str(number) * 2 for number in range(1000)]
        in_thread(enter)
        assert "".join(["be", "side"]) not in box["arena"]
        assert box["data"][77] == "7777"
        try:
            box["block"].__exit__(None, None, None)
        except fa.ArenaStateError:
            pass
        else:
            raise AssertionError("left by a thread that did not enter it")
        assert box["arena"].state == "abandoned"
        with frozen_arena("next") as arena:
            data = [str(number) * 3 for number in range(1000)]
        assert arena.state == "sealed" and data[77] in arena
        """
    )


@pytest.mark.parametrize("ending", ["sealed", "abandoned"])
def test_threads_that_allocated_in_a_block_may_end_after_it_and_its_data_too(ending: str) -> None:
    run_python(
        """
        for round in range(3):
            ready, built, end = threading.Barrier(9), threading.Barrier(9), threading.Event()
            parts = [None] * 8
            def work(index):
                ready.wait()
                parts[index] = [[f"{index}-{n}", {n: n * 1000}] for n in range(5000)]
                built.wait()
                end.wait()
                parts[index][0].append("later")
            threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
            for thread in threads:
                thread.start()
            try:
                with frozen_arena(threads="all") as arena:
                    ready.wait()
                    built.wait()
                    mine = [[str(n) * 2] for n in range(5000)]
                    if sys.argv[1] == "abandoned":
                        raise LookupError
            except LookupError:
                pass
            assert arena.state == sys.argv[1] and parts[5][99] in arena
            end.set()
            for thread in threads:
                thread.join()
            assert [part[4999][0] for part in parts] == [f"{index}-4999" for index in range(8)]
            del parts, mine
            gc.collect()
        """,
        ending,
    )


def test_blocks_of_many_threads_one_after_another() -> None:
    run_python(
        """
        held = []
        def build(number):
            with frozen_arena(f"thread {number}") as arena:
                data = [f"{number}-{part}" for part in range(500)]
            held.append(data)
            return arena.state, data[77] in arena
        assert [in_thread(lambda n=n: build(n)) for n in range(50)] == [("sealed", True)] * 50
        assert len(fa.arenas()) == 50
        """
    )
