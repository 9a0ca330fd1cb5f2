"""`frozen-arena top`: what it shows of a tree, from outside, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import frozen_arena
import pytest
from forking import run_python
from frozen_arena import words

AVAILABLE = frozen_arena.status().available
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="arenas do not work on this interpreter")

TREE = r"""
    import os, sys, time
    from frozen_arena import frozen_arena

    def main():  # names of the module would grow into the arena
        with frozen_arena("catalog"):
            data = [[number, str(number)] for number in range(40_000)]
        pipe_in, pipe_out = os.pipe()
        children = []
        for number in range(2):
            child = os.fork()
            if child == 0:
                os.close(pipe_out)
                if number == 1:
                    for item in data[:20_000]:
                        item[0] = None
                os.write(1, b"ready\n")
                os.read(pipe_in, 1)  # until the parent has gone
                os._exit(0)
            children.append(child)
        os.write(1, f"{children[0]} {children[1]}\n".encode())
        sys.stdin.read()

    main()
"""


@pytest.fixture(scope="module")
def tree() -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A parent with two children, of which the second has changed half of the lists."""
    command = [sys.executable, "-c", textwrap.dedent(TREE)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        said = [process.stdout.readline().split() for _ in range(3)]
        said.remove(["ready"])
        said.remove(["ready"])
        yield process, [int(pid) for pid in said[0]]
        process.stdin.close()


def top(*arguments: object, columns: int = 80) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "frozen_arena", "top", *map(str, arguments), "--interval", "0.1"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": str(columns)},
        check=False,
    )


def test_a_tree_is_shown_with_what_each_process_has_copied_by_lane(
    tree: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, children = tree
    done = top(process.pid, "--once", "--json")
    look = json.loads(done.stdout)
    rows = {row["pid"]: row for row in look["processes"]}
    assert list(rows) == [process.pid, *children]
    assert [row["depth"] for row in rows.values()] == [0, 1, 1]
    private = {pid: rows[pid]["memory"]["lanes"]["payload"]["private"] for pid in rows}
    assert private[process.pid] == private[children[0]] == 0
    assert private[children[1]] > 20_000 * 16  # items lie in the payload lane
    for row in rows.values():
        for lane in row["memory"]["lanes"].values():
            assert lane["mapped"] == lane["shared"] + lane["private"] > 0
            assert lane["building"] == 0
    pss = sum(row["memory"]["pss"] for row in rows.values())
    assert look["sum"]["pss"] == pss
    assert look["sum"]["lanes"]["payload"]["private"] == private[children[1]]


def test_without_a_pid_every_tree_with_an_arena_is_shown(
    tree: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, children = tree
    shown = [row["pid"] for row in json.loads(top("--once", "--json").stdout)["processes"]]
    at = shown.index(process.pid)
    assert shown[at + 1 : at + 3] == children


@pytest.mark.parametrize("columns", [80, 200])
def test_the_table_fits_into_its_columns_and_has_no_colours_in_a_pipe(
    columns: int, tree: tuple[subprocess.Popen[str], list[int]]
) -> None:
    process, _ = tree
    done = top(process.pid, columns=columns)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0] for line in lines[2:6]] == [*map(str, (process.pid, *tree[1])), "sum"]


def test_a_process_without_an_arena_is_shown_and_it_is_said() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        done = top(process.pid, "--once")
        process.kill()
    assert done.returncode == 0
    assert "no process here maps an arena" in done.stdout


def test_a_pid_that_is_gone_is_one_line_and_status_1() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    done = top(process.pid)
    assert done.returncode == 1
    assert done.stderr == f"Error: there is no process with the PID {process.pid}\n"


@pytest.mark.parametrize("pid", ["0", "-1", "init"])
def test_what_is_no_pid_is_wrong_usage(pid: str) -> None:
    done = top(pid)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is wanted")
def test_a_process_of_another_user_is_one_line_that_names_the_rule() -> None:
    command = [sys.executable, *top_line()]
    program = f"import os; os.setuid(65534); os.execv({sys.executable!r}, {command})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    if "Permission denied" in done.stderr:
        pytest.skip("this interpreter lies where other users may not go")
    assert done.returncode == 1
    assert "ptrace_scope" in done.stderr
    assert done.stderr.count("\n") == 1


def top_line() -> list[str]:
    return ["-m", "frozen_arena", "top", str(os.getpid())]


def test_processes_that_end_while_they_are_looked_at_are_left_out() -> None:
    run_python(
        """
        import subprocess, psutil
        from frozen_arena import top

        children = [subprocess.Popen(["sleep", "1000"]) for _ in range(3)]
        watcher = top.Watcher(os.getpid())
        real = top.read_memory

        def ends_meanwhile(pid):
            if pid == children[1].pid and children[1].returncode is None:
                children[1].kill()
                children[1].wait()
            return real(pid)

        top.read_memory = ends_meanwhile
        assert [row.pid for row in watcher.look().rows[1:]] == [children[0].pid, children[2].pid]
        for child in children:
            child.kill()
            child.wait()
        assert len(watcher.look().rows) == 1
        """,
        prelude="import os\n",
    )


def test_it_ends_when_its_process_has_ended() -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        command = [sys.executable, "-m", "frozen_arena", "top", str(child.pid), "--json"]
        command += ["--interval", "0.05"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["processes"][0]["pid"] == child.pid
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert process.wait(timeout=30) == 0


def test_what_is_seen_from_outside_is_what_sharing_counts_inside() -> None:
    run_python(
        """
        from frozen_arena.process_memory import read_memory

        with frozen_arena():
            data = [[number, str(number)] for number in range(20_000)]
        for item in data[:5_000]:
            item[0] = None
        seen, counted = read_memory(os.getpid()).lanes, fa.sharing().lanes
        for name, lane in counted.items():
            assert seen[name].private == lane.private_bytes, (seen[name], lane)
            assert seen[name].shared == lane.shared_bytes, (seen[name], lane)
        assert seen["payload"].private > 0
        """
    )


def test_sizes_and_times_are_short_and_right() -> None:
    sizes = [0, 999, 4_096, 99_999, 1_000_000, 412_300_000, 9_960_000_000, 12_400_000_000_000]
    said = ["0", "999", "4.1k", "100k", "1.0M", "412M", "10G", "12T"]
    assert [words.short_memory(size) for size in sizes] == said
    assert [words.age(age) for age in (0, 99, 100, 6_000, 172_799, 864_000)] == [
        "0 s",
        "99 s",
        "2 min",
        "1.7 h",
        "48.0 h",
        "10 d",
    ]
    assert [words.number(count) for count in (0, 9_999, 12_000)] == ["0", "9,999", "12k"]


def test_processes_are_called_by_what_they_run() -> None:
    from frozen_arena.top import _short_name

    python = "/usr/bin/python3.12"
    named = {
        "app.py": [python, "-u", "/srv/app.py", "--port", "8000"],
        "shop.web": [python, "-X", "dev", "-m", "shop.web"],
        "python3.12 -c": [python, "-c", "import this"],
        "gunicorn: worker [app]": ["gunicorn: worker [app]"],
        "sleep": ["/usr/bin/sleep", "10"],
        "python3.12": [python],
    }
    assert [_short_name("python3.12", command) for command in named.values()] == list(named)
