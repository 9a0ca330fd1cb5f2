"""Runs the cases of a scenario in interleaved rounds, with a progress bar and the time left.

What is compared takes turns: one round runs every case once, so that a machine that grows busy is
busy for all. A case that fails is left out of later rounds and named in the result, and the
scenario ends with status 1; the others go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Sequence
from statistics import median, quantiles
from typing import Any, TypeVar

from bench import harness
from bench.peers import PEERS, Peer

Case = TypeVar("Case", bound=Hashable)


def in_rounds(
    result: harness.Result,
    cases: Sequence[Case],
    run: Callable[[Case], Any],
    rounds: int = 1,
) -> dict[Case, list[Any]]:
    """Runs every case once a round.

    Args:
        result: Takes the failures.
        cases: What is compared; how each is written names it on the bar and in a failure.
        run: Measures one case.
        rounds: How often each is measured.

    Returns:
        What `run` returned, by case; without the cases that failed.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    found: dict[Case, list[Any]] = {case: [] for case in cases}
    failed: set[Case] = set()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with progress:
        task = progress.add_task("", total=rounds * len(cases))
        for _ in range(rounds):
            for case in cases:
                progress.update(task, description=words(case))
                if progress.disable:
                    print(f"... {words(case)}", file=sys.stderr, flush=True)
                if case not in failed:
                    failed.add(case)
                    with result.tried(words(case)):
                        found[case].append(run(case))
                        failed.discard(case)
                progress.advance(task)
    return {case: answers for case, answers in found.items() if case not in failed}


def words(case: Any) -> str:
    """A case as a reader sees it."""
    return ", ".join(map(str, case)) if isinstance(case, tuple) else str(case)


def peers(result: harness.Result, names: Sequence[str] | None) -> list[Peer]:
    """The peers that are asked for and can run here; a note says how to bring in the others."""
    asked = [PEERS[name] for name in names or PEERS]
    notes = [f"{peer.name} left out: {peer.missing}" for peer in asked if peer.missing]
    result.notes += [note for note in notes if note not in result.notes]
    return [peer for peer in asked if not peer.missing]


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median and the quartiles of what the rounds gave; all rounds of fewer than three."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median(values), "low": low, "high": high}
