"""A DataLoader over the catalogue, two epochs; prints what each worker says at the end of each.

python -m bench.hosts.loader WORKERS
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from torch.utils.data import DataLoader, Dataset, get_worker_info

from bench.hosts import catalogue

try:
    from frozen_arena.integrations.dataloader import check
except ImportError:
    check = None

_EPOCHS = 2


class Records(Dataset):  # type: ignore[type-arg]
    """The records, and behind them one item for each worker: what it says of itself."""

    def __init__(self, workers: int) -> None:
        self.records = catalogue.records()
        self.workers = workers

    def __len__(self) -> int:
        return len(self.records) + self.workers

    def __getitem__(self, place: int) -> str:
        if place < len(self.records):
            return str(self.records[place]["name"])
        info = get_worker_info()
        assert info is not None
        return json.dumps({**catalogue.facts(), "worker": info.id})


def main() -> None:
    """Two epochs, every worker forked anew for each."""
    workers = int(sys.argv[1])
    frozen = os.environ.get(catalogue.MODE) == "frozen"
    dataset = Records(workers)

    # Batches in turns over the workers, and the last round of one item for each.
    size = max(1, len(dataset.records) // (workers * 8))
    epochs: list[dict[str, Any]] = []
    for _ in range(_EPOCHS):
        places = list(range(len(dataset.records)))
        batches = [places[start : start + size] for start in range(0, len(places), size)]
        batches += [[len(places)]] * (-len(batches) % workers)
        batches += [[len(places) + worker] for worker in range(workers)]
        loader = DataLoader(
            dataset,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=list,
            worker_init_fn=check if frozen else None,
            multiprocessing_context="fork",
        )
        last = [batch[0] for batch in loader][-workers:]
        epochs.append({answer["pid"]: answer for answer in map(json.loads, last)})
    print(json.dumps(epochs))


if __name__ == "__main__":
    main()
