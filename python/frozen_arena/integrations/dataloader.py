"""PyTorch's DataLoader: says in a worker, once, when it has inherited nothing.

    DataLoader(dataset, num_workers=4, worker_init_fn=frozen_arena.integrations.dataloader.check)

Sharing itself needs the variable, or a block around what builds the dataset, and workers that are
forked.
"""

from __future__ import annotations

import multiprocessing
from mmap import mmap

from frozen_arena.arena import arenas
from frozen_arena.integrations.host import say

__all__ = ["check"]

_said = mmap(-1, 1)  # shared by all that are forked: each epoch has a first worker


def check(worker: int) -> None:
    """For ``worker_init_fn``: the first worker says why it shares nothing, if that is so."""
    if worker != 0 or _said[0] or any(arena.state == "sealed" for arena in arenas()):
        return
    _said[0] = 1
    process = multiprocessing.current_process()
    if type(process).__name__ == "ForkProcess":
        why = (
            "nothing was frozen before this loader forked its workers; set PYTHONFROZENARENA=1, or "
            "build the dataset in a frozen_arena() block"
        )
    else:
        why = (
            "workers that are not forked get the dataset by pickling and share nothing; pass "
            "multiprocessing_context='fork' to the DataLoader"
        )
    say("DataLoader", why)
