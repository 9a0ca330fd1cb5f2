"""Faults around fork: in an open block, from C, from another thread, with half-built data."""

from __future__ import annotations

import pytest
from forking import run_python

# What each test forks with: Python's own call, and libc's behind Python's back.
FORKS = {
    "Python": "pid = os.fork()",
    "C": "pid = ctypes.PyDLL(None).fork()",
}


@pytest.mark.parametrize("fork", FORKS)
def test_fork_in_an_open_block_leaves_the_child_an_abandoned_arena_and_the_parent_goes_on(
    fork: str,
) -> None:
    run_python(
        f"""
        import ctypes
        with frozen_arena() as arena:
            data = [str(number) * 2 for number in range(20_000)]
            {FORKS[fork]}
            if pid == 0:
                data[3] = "child"
                data += [str(number) * 3 for number in range(20_000)]
                seen = (arena.state, arena.report, data[3], len(data), data[39_999])
                wanted = ("abandoned", None, "child", 40_000, "19999" * 3)
                os._exit(0 if seen == wanted else 1)
            data[4] = "parent"
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            data += [str(number) * 4 for number in range(20_000)]
        assert (arena.state, data[3], data[4], len(data)) == ("sealed", "33", "parent", 40_000)
        def read():
            assert sum(map(len, data)) > 40_000 and data[39_999] == "19999" * 4
            return arena.sharing().private_os_pages
        assert fork_and_report(read) == 0 or not HAS_IMMORTAL_OBJECTS
        """
    )


@pytest.mark.parametrize("fork", FORKS)
def test_child_of_an_open_block_leaves_the_block_without_harm(fork: str) -> None:
    run_python(
        f"""
        import ctypes
        pid = None
        try:
            with frozen_arena() as arena:
                data = [str(number) * 2 for number in range(20_000)]
                {FORKS[fork]}
                data.append("one" * 2)
            left = "quietly"
        except fa.ArenaStateError:
            left = "with an error"
        if pid == 0:
            fine = data[19_999] == "1999919999" and arena.state == "abandoned"
            with frozen_arena() as mine:
                own = [str(number) * 5 for number in range(1000)]
            os._exit(0 if fine and mine.state == "sealed" and own[3] in mine else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert (arena.state, left) == ("sealed", "quietly")
        """
    )


def test_worker_that_never_leaves_the_block_it_was_forked_in_collects_garbage_again() -> None:
    run_python(
        """
        with frozen_arena("outer", threads="all") as outer:
            with frozen_arena("inner") as inner:
                assert fork_and_report(gc.isenabled) is True
                assert not gc.isenabled()
        assert (outer.state, inner.state, gc.isenabled()) == ("sealed", "sealed", True)
        gc.disable()
        with frozen_arena():
            assert fork_and_report(gc.isenabled) is False
        """
    )


def test_what_the_parent_builds_after_a_fork_in_the_block_does_not_reach_the_child() -> None:
    run_python(
        """
        told, tell = os.pipe()
        seen, see = os.pipe()
        with frozen_arena() as arena:
            numbers = [str(number) * 2 for number in range(50_000)]
            table = bytearray(4 << 20)
            pid = os.fork()
            if pid == 0:
                os.read(told, 1)
                fine = numbers[100] == "100100" and not any(table) and len(numbers) == 50_000
                os.write(see, b"y" if fine else b"n")
                os.read(told, 1)
                fine = numbers[100] == "100100" and not any(table) and len(numbers) == 50_000
                os._exit(0 if fine else 1)
            numbers[100] = "changed"
            table[:] = b"x" * len(table)
            numbers += [str(number) * 3 for number in range(50_000)]
            os.write(tell, b"1")
            assert os.read(seen, 1) == b"y"
        os.write(tell, b"2")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert arena.state == "sealed" and numbers[100] == "changed"
        """
    )


def test_fork_from_a_thread_that_has_no_block_is_safe_for_the_block_of_another() -> None:
    run_python(
        """
        inside, forked = threading.Event(), threading.Event()
        box = {}
        def build():
            with frozen_arena("thread") as arena:
                box["data"] = [str(number) * 2 for number in range(20_000)]
                inside.set()
                forked.wait()
                box["more"] = [str(number) * 3 for number in range(20_000)]
            box["arena"] = arena
        thread = threading.Thread(target=build)
        thread.start()
        inside.wait()
        def child():
            box["data"].append("child")
            mine = [str(number) * 4 for number in range(1000)]
            return [arena.state for arena in fa.arenas()], box["data"][77], mine[5]
        assert fork_and_report(child) == [["abandoned"], "7777", "5555"]
        forked.set()
        thread.join()
        arena = box["arena"]
        assert arena.state == "sealed" and len(box["data"]) == 20_000
        assert box["data"][77] in arena and box["more"][77] in arena
        """
    )


def test_many_forks_in_one_block_and_forks_of_children() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            data = []
            for round in range(20):
                data += [str(number) * 2 for number in range(1000)]
                size = len(data)
                def child():
                    data.append("child")
                    return fork_and_report(lambda: (data.append("grandchild"), len(data))[1])
                assert fork_and_report(child) == size + 2
                assert len(data) == size
        assert arena.state == "sealed" and len(data) == 20_000
        """
    )


def test_fork_in_nested_blocks() -> None:
    run_python(
        """
        with frozen_arena("outer") as outer:
            first = [str(number) * 2 for number in range(5000)]
            with frozen_arena("inner") as inner:
                second = [str(number) * 3 for number in range(5000)]
                def child():
                    first.append(1); second.append(2)
                    return [outer.state, inner.state, len(first), len(second)]
                assert fork_and_report(child) == ["abandoned", "abandoned", 5001, 5001]
                second.append("in")
            first.append("out")
        assert (outer.state, inner.state) == ("sealed", "sealed")
        assert (first[-1], second[-1], len(first), len(second)) == ("out", "in", 5001, 5001)
        """
    )


def test_subprocess_and_posix_spawn_in_a_block_leave_the_arena_shared() -> None:
    run_python(
        """
        import subprocess
        with frozen_arena() as arena:
            data = [str(number) * 2 for number in range(5000)]
            out = subprocess.run([sys.executable, "-c", "print(5)"], stdout=-1, check=True)
            pid = os.posix_spawn("/bin/true", ["true"], {})
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            data.append(out.stdout.decode())
        assert arena.state == "sealed" and data[-1] == "5\\n"
        """
    )


def test_worker_of_a_worker_still_shares() -> None:
    run_python(
        """
        with frozen_arena() as arena:
            data = {str(number) * 2: [number] for number in range(5000)}
        def grandchild():
            assert sum(value[0] for value in data.values()) == 4999 * 2500
            return arena.sharing().private_os_pages
        private = fork_and_report(lambda: fork_and_report(grandchild))
        assert private == 0 or not HAS_IMMORTAL_OBJECTS, private
        """
    )


def test_block_opened_in_a_child_of_a_process_with_sealed_arenas() -> None:
    run_python(
        """
        with frozen_arena("parent") as arena:
            data = [str(number) * 2 for number in range(5000)]
        def child():
            with frozen_arena("child") as mine:
                own = [data[number] * 2 for number in range(5000)]
            def grandchild():
                assert own[77] == "77777777" and data[77] == "7777"
                return fa.sharing().private_os_pages
            return [[a.name for a in fa.arenas()], own[3] in mine, fork_and_report(grandchild)]
        names, inside, private = fork_and_report(child)
        assert (names, inside) == (["parent", "child"], True)
        assert private == 0 or not HAS_IMMORTAL_OBJECTS, private
        assert [a.name for a in fa.arenas()] == ["parent"]
        """
    )
