"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import frozen_arena
import pytest

pytestmark = [
    pytest.mark.skipif(not frozen_arena.status().available, reason="arenas do not work here"),
    pytest.mark.skipif(sys.version_info < (3, 12), reason="on 3.11 reading counts"),
]

CONFTEST = """
import pytest
from frozen_arena import frozen_arena

pytest_plugins = ["frozen_arena.testing"]

with frozen_arena("catalog"):
    DATA = [[number, str(number)] for number in range(1000)]

@pytest.fixture
def catalog():
    return DATA
"""
TESTS = """
def test_reads(catalog, no_sealed_writes):
    assert sum(len(item[1]) for item in catalog) == 2890

def test_writes(catalog, no_sealed_writes):
    catalog[7][0] = None

def test_counts(catalog, sealed_writes):
    catalog[8][0] = None
    assert len(sealed_writes) == 1
    assert sealed_writes[0].line.function == "test_counts"
"""


def test_a_test_that_writes_fails_and_names_the_line_and_one_that_reads_passes(
    tmp_path: Path,
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_catalog.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        check=False,
    )
    assert "3 passed, 1 error" in done.stdout, done.stdout  # it fails where the fixture ends
    assert "1 OS pages of sealed memory were written to" in done.stdout
    assert "test_catalog.py:6 in test_writes: wrote to items[0] of list" in done.stdout
