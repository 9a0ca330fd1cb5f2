"""Pool and ProcessPoolExecutor, fork and forkserver: workers share what the parent has built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import MODES, MOST, check_shared, own_bytes_of

from bench import harness

WORKERS = 2


def run(
    program: str | list[str], folder: Path, *, seconds: float = 120, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A Python program with the checkout on its path; text is a script of the reader's."""
    if isinstance(program, str):
        script = folder / "program.py"
        script.write_text(program)
        program = [str(script)]
    return subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env=harness.environment(HOME=str(folder), **variables),
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def answers_of(method: str, pool: str, mode: str, folder: Path) -> dict[int, dict[str, Any]]:
    done = run(["-m", "bench.hosts.pools", method, pool, str(WORKERS)], folder, **MODES[mode])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("pool", ["Pool", "Executor"])
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_of_a_pool_share_the_catalogue(method: str, pool: str, tmp_path: Path) -> None:
    stock = own_bytes_of(answers_of(method, pool, "stock", tmp_path))
    answers = answers_of(method, pool, "frozen", tmp_path)
    check_shared(answers)
    assert own_bytes_of(answers) < MOST * stock


PRELOADED = """
import multiprocessing
from bench.hosts import catalogue
from bench.hosts.pools import facts
from frozen_arena.integrations.multiprocessing import preload
if __name__ == "__main__":
    preload("bench.hosts.loaded")
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        answer = pool.apply(facts, (0,))
    assert "sealed" in [state for _, state in answer["arenas"]] and answer["inside"], answer
    assert answer["payload"] <= 64, answer
"""


def test_a_forkserver_freezes_what_preload_names_without_the_variable(tmp_path: Path) -> None:
    done = run(PRELOADED, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_preload_names_a_module_that_does_not_exist(tmp_path: Path) -> None:
    program = "from frozen_arena.integrations.multiprocessing import preload; preload('catalogs')"
    done = run(["-c", program], tmp_path)
    assert "ModuleNotFoundError: the forkserver has no module 'catalogs' to load" in done.stderr


SPAWNED = """
import multiprocessing
def work(number):
    return number
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        with context.Pool(2) as pool:
            assert pool.map(work, range(4)) == [0, 1, 2, 3]
"""


def test_workers_that_are_spawned_inherit_nothing_which_is_said_once(tmp_path: Path) -> None:
    done = run(SPAWNED, tmp_path, PYTHONFROZENARENA="1")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("frozen arena, multiprocessing: ")
    assert "spawn" in line
    assert run(SPAWNED, tmp_path).stderr == ""


RESTARTED = """
import multiprocessing
from bench.hosts import catalogue
from bench.hosts.pools import facts
if __name__ == "__main__":
    catalogue.records()
    answers = []
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        answers = pool.map(facts, range(8), chunksize=1)
    assert len({answer["pid"] for answer in answers}) >= 8
    assert all(answer["inside"] and answer["payload"] <= 64 for answer in answers), answers
"""


def test_a_pool_that_forks_again_from_its_thread_shares_the_same_arena(tmp_path: Path) -> None:
    done = run(RESTARTED, tmp_path, PYTHONFROZENARENA="1")
    assert (done.returncode, done.stderr) == (0, "")
