"""PySpark: its daemon loads and freezes a module that functions look up in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MIB, MODES, check_shared, need, own_bytes_of
from test_multiprocessing import run

WORKERS = 2
NOISY = """
import os, subprocess
print("text that Spark would take for a port")
os.write(1, b"and bytes\\n")
subprocess.run(["echo", "and a program's"])
from bench.hosts import loaded
"""
NOISE = ["text that Spark would take for a port", "and bytes", "and a program's"]
DAEMON = "import os\ndef manager():\n    print('port', flush=True)\n    os._exit(0)\n"


def job(mode: str, folder: Path, **variables: str) -> tuple[dict[int, dict[str, Any]], str]:
    need("pyspark", "java")
    command = ["-m", "bench.hosts.spark_job", str(WORKERS)]
    done = run(command, folder, seconds=250, **MODES[mode], **variables)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


@pytest.mark.timeout(600)
def test_workers_of_its_daemon_share_what_it_has_loaded(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    stock, _ = job("stock", tmp_path)
    frozen, said = job("frozen", tmp_path, FZA_HOST_PRELOAD="noisy")
    check_shared(frozen)
    # PySpark itself takes more than this catalogue, and is loaded by each worker.
    assert own_bytes_of(stock) - own_bytes_of(frozen) > MIB / 2 * 2**20
    assert [words for words in NOISE if words not in said] == []


def daemon(folder: Path, modules: str) -> tuple[str, str]:
    """What the daemon's program says on its two outputs, Spark's own part aside."""
    (folder / "pyspark").mkdir()
    (folder / "pyspark" / "__init__.py").touch()
    (folder / "pyspark" / "daemon.py").write_text(DAEMON)
    (folder / "noisy.py").write_text(NOISY)
    command = ["-m", "frozen_arena.integrations.pyspark", "pyspark.worker"]
    done = run(command, folder, FROZEN_ARENA_PRELOAD=modules, PYTHONFROZENARENA="report=1")
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_what_a_module_prints_while_it_is_loaded_does_not_reach_spark(tmp_path: Path) -> None:
    out, said = daemon(tmp_path, "noisy, json")
    assert out == "port\n"
    assert [line for line in said.splitlines() if line in NOISE] == NOISE
    assert said.count("frozen arena, process") == 1


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ("no_such_module", "could not load 'no_such_module', so it is not shared; see above"),
        (" ", "nothing to load: set spark.executorEnv.FROZEN_ARENA_PRELOAD to names of modules"),
    ],
)
def test_a_wrong_setting_costs_a_line(modules: str, words: str, tmp_path: Path) -> None:
    out, said = daemon(tmp_path, modules)
    assert out == "port\n"
    assert said.count(words) == 1
