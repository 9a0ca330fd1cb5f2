"""Whether to use a frozen arena for this data: one line, from what was measured."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from frozen_arena import words
from frozen_arena.measuring.scenario import WayResult

__all__ = ["Advice", "advise"]

_WORTH_BYTES: Final = 4_000_000  # below it two runs of the same thing differ by as much
_WORTH_SHARE: Final = 0.05
_MOSTLY: Final = 0.5
_ARRAYS: Final = {"numpy": "NumPy", "pandas": "pandas", "pyarrow": "Arrow", "polars": "Polars"}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do.

    Attributes:
        use: whether a frozen arena is worth it.
        saved_bytes: what the tree takes less than stock; None where it does not work.
        text: one line for people.
    """

    use: bool
    saved_bytes: int | None
    text: str


def advise(ways: Mapping[str, WayResult], workers: int) -> Advice:
    """Compares the ways."""
    stock, freeze, frozen = ways["stock"], ways["gc.freeze"], ways["frozen"]
    if frozen.unsupported is not None:
        return Advice(False, None, f"frozen arena does not work here: {frozen.unsupported}")
    saved = stock.tree_pss - frozen.tree_pss
    worth = max(_WORTH_BYTES, _WORTH_SHARE * stock.tree_pss)
    if saved < worth:
        why = _why_nothing_is_gained(stock, saved, workers)
        return Advice(False, saved, f"do not use it: {why}")
    beside = freeze.tree_pss - frozen.tree_pss
    saves = (
        f"saves {words.memory(saved)} of {words.memory(stock.tree_pss)} "
        f"with {words.workers(workers)}"
    )
    if beside < worth:
        return Advice(False, saved, f"gc.freeze() is enough here: it {saves}, as an arena does")
    private = statistics.fmean(frozen.worker_private)
    each = statistics.fmean(stock.worker_private) - private
    text = f"use it: {saves}, and {words.memory(max(0, each))} more with each further worker"
    if sys.version_info < (3, 12):
        text += "; CPython 3.12 or newer saves more, and fa.reshare() between requests does too"
    return Advice(True, saved, text)


def _why_nothing_is_gained(stock: WayResult, saved: int, workers: int) -> str:
    buffers = sum(stock.buffers.values())
    if buffers > _MOSTLY * stock.data_bytes:
        biggest = max(stock.buffers, key=lambda name: stock.buffers[name])
        name = _ARRAYS.get(biggest.partition(".")[0], biggest)
        return f"your data is {name}, it is shared already"
    size = words.memory(stock.data_bytes)
    if stock.data_bytes < _WORTH_BYTES:
        return f"your data is small, {size}; nothing that {words.workers(workers)} copy adds up"
    private = statistics.fmean(stock.worker_private)
    if private < _MOSTLY * stock.data_bytes:
        return f"workers copy {words.memory(private)} of {size} each: most of it is shared already"
    return f"it saves {words.memory(max(0, saved))} of {words.memory(stock.tree_pss)}"
