"""PySpark: its daemon loads and freezes a module that functions look up in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MODES, MOST, check_shared, need, own_bytes_of
from test_multiprocessing import run

WORKERS = 2
NOISY = """
import os, subprocess
print("text that Spark would take for a port")
os.write(1, b"and bytes")
subprocess.run(["echo", "and a program's"])
from bench.hosts import loaded
"""


def job(mode: str, folder: Path, **variables: str) -> tuple[dict[int, dict[str, Any]], str]:
    need("pyspark", "java")
    done = run(["-m", "bench.hosts.spark_job", str(WORKERS)], folder, **MODES[mode], **variables)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


@pytest.mark.timeout(300)
def test_workers_of_its_daemon_share_the_catalogue(tmp_path: Path) -> None:
    stock, _ = job("stock", tmp_path)
    frozen, _ = job("frozen", tmp_path)
    check_shared(frozen)
    assert own_bytes_of(frozen) < MOST * own_bytes_of(stock)


def test_what_a_module_prints_while_it_is_loaded_does_not_reach_spark(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    answers, said = job("frozen", tmp_path, FZA_HOST_PRELOAD="noisy")
    check_shared(answers)
    for words in ("text that Spark would take", "and bytes", "and a program's"):
        assert words in said


def test_a_module_that_cannot_be_loaded_costs_a_line(tmp_path: Path) -> None:
    answers, said = job("frozen", tmp_path, FZA_HOST_PRELOAD="no_such_module")
    assert own_bytes_of(answers) > 0
    assert said.count("could not load 'no_such_module', so it is not shared") == 1
