"""Others that hook the allocator, with activation: the program runs, and workers share.

ddtrace, of version 4, is tried where it is installed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import need
from test_multiprocessing import run

PROGRAM = """
import gc, json, os, sys
import frozen_arena as fa
{before}
data = {{f"key {{n}}": [str(n) * 2, {{n: (n, str(n))}}] for n in range(60_000)}}
{between}
def child():
    total = sum(len(key) + len(value[0]) for key, value in data.items())
    gc.collect()
    assert total > 1_000_000
    assert [arena.state for arena in fa.arenas()] == ["sealed"], fa.arenas()
    assert data["key 7"] in fa.arenas()[0]
    assert fa.sharing().lanes["payload"].private_os_pages <= 64, fa.sharing()
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    more = [str(n) for n in range(50_000)]
{after}
data["key 8"].append("parent")
data.clear()
gc.collect()
print("ran")
"""


def program(before: str = "", between: str = "", after: str = "") -> str:
    return PROGRAM.format(before=before, between=between, after=after)


def check(text: str | list[str], folder: Path, **variables: str) -> str:
    done = run(text, folder, PYTHONFROZENARENA="1", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ran\n" in done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("options", [(), ("--native",), ("--follow-fork",)], ids=str)
def test_a_program_under_memray_runs(options: tuple[str, ...], tmp_path: Path) -> None:
    need("memray")
    (tmp_path / "data.py").write_text(program())
    check(["-m", "memray", "run", *options, "-o", "out.bin", "data.py"], tmp_path)


TRACKED = "import memray; tracker = memray.Tracker('out.bin'); tracker.__enter__()"
END = "tracker.__exit__(None, None, None)"


@pytest.mark.parametrize(
    "order",
    [(TRACKED, END, ""), (TRACKED, "", END), ("", TRACKED, END)],
)
def test_memray_begun_and_ended_anywhere_in_it(order: tuple[str, str, str], tmp_path: Path) -> None:
    need("memray")
    check(program(*order), tmp_path)


PROFILED = (
    "from ddtrace.profiling.collector import _memalloc; _memalloc.start(32, 512 * 1024, True)"
)
STOPPED = "_memalloc.stop()"


@pytest.mark.parametrize(
    "order", [(PROFILED, STOPPED, ""), (PROFILED, "", STOPPED), ("", PROFILED, STOPPED)]
)
def test_ddtrace_begun_and_ended_anywhere_in_it(
    order: tuple[str, str, str], tmp_path: Path
) -> None:
    pytest.importorskip("ddtrace")
    check(program(*order), tmp_path)


TRACED, UNTRACED = "import tracemalloc; tracemalloc.start(3)", "tracemalloc.stop()"


@pytest.mark.parametrize(
    "order", [(TRACED, UNTRACED, ""), (TRACED, "", UNTRACED), ("", TRACED, UNTRACED)]
)
def test_tracemalloc_begun_and_ended_anywhere_in_it(
    order: tuple[str, str, str], tmp_path: Path
) -> None:
    check(program(*order), tmp_path)
