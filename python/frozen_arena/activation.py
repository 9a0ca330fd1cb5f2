"""Activation: what the whole process builds goes to an arena, without a block in its code.

`activate` starts it, in code or at start-up (`environment`). The first fork at which
enough has been collected ends it: the arena is frozen and sealed, and everybody allocates as usual
from then on. A parent that forks for each batch does not make each batch immortal.
"""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from typing import Any

from frozen_arena._support import core
from frozen_arena.arena import Arena
from frozen_arena.block import leave_for_all, open_for_all, other_blocks_are_open
from frozen_arena.errors import ArenaStateError, FrozenArenaWarning
from frozen_arena.options import MIN_NEW, BlockOptions, check_size

__all__ = ["activate", "freeze"]


class _Activation:
    """One activation, from `activate` to the freeze."""

    def __init__(
        self, options: BlockOptions, min_new: int, report: bool, *, in_child: bool = False
    ) -> None:
        self.block = open_for_all(options, empty_free_lists=not in_child)
        self.options = options
        self.min_new = min_new
        self.report = report

    @property
    def has_enough(self) -> bool:
        arena = self.block._arena
        return arena is not None and arena.nbytes >= self.min_new


_active: _Activation | None = None


def activate(*, min_new: int = MIN_NEW, report: bool = False, **options: Any) -> None:
    """From now on all threads build in an arena, until the first fork that is worth it.

    Before the first ``os.fork()`` of this process at which at least `min_new` bytes have been
    collected, the arena is frozen and sealed as at the end of a block. Until then forks are
    ordinary, and a child that is forked goes on collecting for itself. The cyclic collector runs
    as usual. ``PYTHONFROZENARENA=1`` does this when the interpreter starts.

    Args:
        min_new: bytes.
        report: prints the `FreezeReport` on standard error when it has happened.
        options: keywords of `frozen_arena`, but for ``threads``.

    Raises:
        ArenaStateError: activated already.
        TypeError, ValueError: a keyword that is not accepted.
        Unsupported: arenas do not work here and ``on_unsupported="raise"``.
    """
    global _active
    if "threads" in options:
        raise TypeError("activation is for all threads; it takes no argument 'threads'")
    check_size("min_new", min_new)
    chosen = BlockOptions(**{"name": "activation", **options, "threads": "all"})
    del options  # a dict that is let go of later would be the first that the arena does not hold
    if _active is not None:
        raise ArenaStateError("activated already; call freeze() first, which ends the activation")
    _active = _Activation(chosen, min_new, report)
    if core() is None:
        _active = None  # which open_for_all has said


def freeze() -> Arena | None:
    """Freezes and seals what activation has collected until now, and ends the activation.

    Returns:
        The sealed arena; None where arenas do not work.

    Raises:
        ArenaStateError: not activated, or some thread is inside a block.
    """
    global _active
    ending = _active
    if ending is None:
        if core() is None:
            return None
        raise ArenaStateError(
            "nothing is being collected: call activate() first, or set PYTHONFROZENARENA=1"
        )
    if other_blocks_are_open(ending.block):
        raise ArenaStateError("a block is open: leave it before freeze()")
    _active = None  # at once: another thread may fork meanwhile
    leave_for_all(ending.block, freeze=True)
    arena = ending.block._arena
    if ending.report and arena is not None and arena.report is not None:
        print(f"frozen arena, process {os.getpid()}: {arena.report}", file=sys.stderr)
    return arena


def _before_fork() -> None:
    if _active is None or not _active.has_enough or other_blocks_are_open(_active.block):
        return
    try:
        freeze()
    except Exception as error:
        warnings.warn(
            f"what activation has collected was not frozen: {type(error).__name__}: {error}",
            FrozenArenaWarning,
            stacklevel=2,
        )


def _go_on_in_child() -> None:
    """The arena of the parent is abandoned in a child; a daemon loads its data only there."""
    global _active
    if _active is None:
        return
    options, min_new, report = _active.options, _active.min_new, _active.report
    _active = None
    _active = _Activation(options, min_new, report, in_child=True)


def _at_exit() -> None:
    global _active
    ending = _active
    _active = None
    if ending is not None:
        leave_for_all(ending.block, freeze=False)


if core() is not None:
    os.register_at_fork(before=_before_fork, after_in_child=_go_on_in_child)
    atexit.register(_at_exit)
