"""PyTorch's DataLoader: workers of every epoch share a dataset that is a list of dicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import MODES, MOST, check_shared, need, own_bytes_of
from test_multiprocessing import run

WORKERS = 2

NOT_SHARED = """
import torch
from torch.utils.data import DataLoader
from frozen_arena.integrations.dataloader import check
if __name__ == "__main__":
    for method in ("fork", "fork", "spawn"):
        loader = DataLoader([1, 2, 3, 4], num_workers=2, worker_init_fn=check,
                            multiprocessing_context=method)
        assert sum(batch.sum().item() for batch in loader) == 10
"""


def epochs(mode: str, folder: Path) -> list[dict[int, dict[str, Any]]]:
    need("torch")
    done = run(["-m", "bench.hosts.loader", str(WORKERS)], folder, **MODES[mode])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "frozen arena" not in done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
def test_workers_of_two_epochs_share_the_dataset(tmp_path: Path) -> None:
    own = {}
    for mode in ("stock", "frozen"):
        first, second = epochs(mode, tmp_path)
        assert first.keys().isdisjoint(second)
        own[mode] = max(own_bytes_of(first), own_bytes_of(second))
        if mode == "frozen":
            check_shared({**first, **second})
    assert own["frozen"] < MOST * own["stock"]


def test_workers_that_share_nothing_say_why(tmp_path: Path) -> None:
    need("torch")
    done = run(NOT_SHARED, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "frozen arena" in line]
    assert [line.split(":", 1)[0] for line in lines] == ["frozen arena, DataLoader"] * 2
    assert "nothing was frozen before this loader forked its workers" in lines[0]
    assert "pass multiprocessing_context='fork'" in lines[1]
