"""What the tests of hosts share: which hosts are here, one catalogue, one measure.

A host that is missing costs one skipped test that says what to install. They run in one leg of
.ci/run, where FZA_HOSTS=1 makes a missing host a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.hosts import catalogue

MIB = 20
MODES = {
    "stock": {catalogue.MODE: "stock"},
    "gc.freeze": {catalogue.MODE: "gc.freeze"},
    "frozen": {catalogue.MODE: "frozen", "PYTHONFROZENARENA": "1"},
}
MOST = 0.6  # of the own bytes of a stock worker


def need(*what: str) -> None:
    """Skips the test where a module or command is missing (fails where CI has installed all)."""
    missing = [
        name
        for name in what
        if not (importlib.util.find_spec(name) if name.isidentifier() else None)
        and not shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    ]
    if not missing:
        return
    if missing == ["torch"] and sys.version_info[:2] != (3, 11):
        pytest.skip("torch: a build for CPUs alone is there for CPython 3.11 only")
    line = f"missing: {', '.join(missing)}; .ci/hosts installs them"
    if os.environ.get("FZA_HOSTS") == "1":
        pytest.fail(line)
    pytest.skip(line)


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catalogue.SIZE, str(MIB))


def own_bytes_of(answers: Mapping[int, dict[str, Any]]) -> int:
    """The most that one of the workers holds alone; every answer was the right one."""
    assert {answer["total"] for answer in answers.values()} == {_total()}
    return max(answer["own"] for answer in answers.values())


def check_shared(answers: Mapping[int, dict[str, Any]]) -> None:
    """The catalogue lies in a sealed arena of each, and nobody has copied its payload."""
    for answer in answers.values():
        assert "sealed" in {state for _, state in answer["arenas"]}, answer
        assert answer["inside"], answer
        assert answer["payload"] <= 64, answer


def _total() -> int:
    """What `catalogue.read_all` gives, reckoned without the catalogue."""
    total = 0
    for number in range(catalogue.count(MIB)):
        one = catalogue.record(number)
        total += len(one["sku"]) + len(one["name"]) + one["stock"] + sum(map(len, one["tags"]))
        total += int(one["price"] + sum(one["size"].values()))
    return total
