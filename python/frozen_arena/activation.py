"""Activation: what the whole process builds goes to an arena, without a block in its code.

`activate` starts it, in code or at start-up (`environment`). The first fork at which enough has
been collected ends it: the arena is frozen and sealed, and everybody allocates as usual from then
on. A parent that forks for each batch does not make each batch immortal.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from frozen_arena._prewarming import run_prewarming
from frozen_arena._support import core
from frozen_arena.arena import Arena
from frozen_arena.block import leave_for_all, open_for_all, other_blocks_are_open
from frozen_arena.errors import ArenaStateError, FrozenArenaWarning
from frozen_arena.options import MIN_NEW, BlockOptions, check_size

__all__ = [
    "activate",
    "freeze",
    "freeze_if_worth_it",
    "give_up",
    "is_collecting",
    "leave_forks_alone",
]

_Forked = TypeVar("_Forked", int, tuple[int, int])


class _Activation:
    """One activation, from `activate` to the freeze."""

    def __init__(
        self, options: BlockOptions, min_new: int, report: bool, *, in_child: bool = False
    ) -> None:
        self.block = open_for_all(options, empty_free_lists=not in_child)
        self.options = options
        self.min_new = min_new
        self.report = report
        self.forks_freeze = True

    @property
    def is_worth_it(self) -> bool:
        """Whether a fork now should freeze: enough is alive, and nobody is inside a block."""
        handle = self.block._handle
        if not self.forks_freeze:
            return False
        if other_blocks_are_open(self.block) or handle is None:
            return False
        if handle.stats()["overflow_blocks"] > 0:
            return True  # full: there will not be more
        return bool(handle.mapped_bytes >= self.min_new and handle.live_bytes() >= self.min_new)


# Two lists, as pop() and append() are each one step for other threads: of them one holds one item.
_free: list[bool] = [True]
_active: list[_Activation] = []


def activate(*, min_new: int = MIN_NEW, report: bool = False, **options: Any) -> None:
    """From now on all threads build in an arena, until the first fork that is worth it.

    Before the first ``os.fork()`` of this process at which at least `min_new` bytes of what was
    built are alive, the arena is frozen and sealed as at the end of a block. Until then forks are
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
    if "threads" in options:
        raise TypeError("activation is for all threads; it takes no argument 'threads'")
    check_size("min_new", min_new)
    chosen = BlockOptions(**{"name": "activation", **options, "threads": "all"})
    del options  # a dict that is let go of later would be the first that the arena does not hold
    try:
        _free.pop()
    except IndexError:
        message = "activated already; call freeze() first, which ends the activation"
        raise ArenaStateError(message) from None
    try:
        started = _Activation(chosen, min_new, report)
    except BaseException:
        _free.append(True)
        raise
    if core() is None:  # which open_for_all has said
        _free.append(True)
        return
    _active.append(started)
    _freeze_before(("fork", "forkpty"))


def freeze() -> Arena | None:
    """Freezes and seals what activation has collected until now, and ends the activation.

    Returns:
        The sealed arena; None where arenas do not work.

    Raises:
        ArenaStateError: not activated, or some thread is inside a block.
    """
    if _active and other_blocks_are_open(_active[0].block):
        raise ArenaStateError("a block is open: leave it before freeze()")
    if _active:
        leave_forks_alone()  # what warms may fork
        run_prewarming()
    try:
        ending = _active.pop()  # another thread may fork meanwhile
    except IndexError:
        if core() is None:
            return None
        message = "nothing is being collected: call activate() first, or set PYTHONFROZENARENA=1"
        raise ArenaStateError(message) from None
    try:
        leave_for_all(ending.block, freeze=True)
    finally:
        _free.append(True)
    arena = ending.block._arena
    if ending.report and arena is not None and arena.report is not None and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(f"frozen arena, process {os.getpid()}: {arena.report}", file=sys.stderr)
    return arena


def is_collecting() -> bool:
    """Whether activation is under way in this process, and has not frozen yet."""
    return bool(_active)


def leave_forks_alone() -> None:
    """Forks freeze nothing from now on, however much there is: `freeze` will be called.

    For hosts that say when all is loaded. Children that are forked before go on likewise.
    """
    for one in _active:
        one.forks_freeze = False


def give_up() -> None:
    """Ends the activation without a freeze, where nobody would inherit anything.

    What was built lives and dies as usual.
    """
    while _active:
        leave_for_all(_active.pop().block, freeze=False)
        _free.append(True)


def freeze_if_worth_it() -> None:
    """What happens before a fork: never raises."""
    try:
        if _active and _active[0].is_worth_it:
            freeze()
    except (IndexError, ArenaStateError):
        return  # another thread was faster, or has entered a block
    except Exception as error:
        warnings.warn(
            f"what activation has collected was not frozen: {type(error).__name__}: {error}",
            FrozenArenaWarning,
            stacklevel=3,
        )


def _freeze_before(names: tuple[str, ...]) -> None:
    """Has these functions of `os` freeze before they fork.

    A hook of ``os.register_at_fork`` would come too late: ours was registered first, so it runs
    when all others hold their locks (logging, thread pools), and a freeze runs finalizers. It
    remains for those who fork otherwise.
    """
    for name in names:
        function = getattr(os, name, None)
        if function is not None and not hasattr(function, "_freezes"):
            setattr(os, name, _freezing(function))


def _freezing(function: Callable[[], _Forked]) -> Callable[[], _Forked]:
    def fork() -> _Forked:
        freeze_if_worth_it()
        return function()

    fork.__name__ = fork.__qualname__ = function.__name__
    fork.__doc__ = function.__doc__
    fork._freezes = True  # type: ignore[attr-defined]
    return fork


def _go_on_in_child() -> None:
    """The arena of the parent is abandoned in a child; a daemon loads its data only there."""
    started = list(_active)
    _active.clear()
    _free[:] = [True]  # another thread may have been in the middle of something
    if started:
        _free.clear()
        one = started[0]
        try:
            going_on = _Activation(one.options, one.min_new, one.report, in_child=True)
            going_on.forks_freeze = one.forks_freeze
            _active.append(going_on)
        except BaseException:
            _free.append(True)
            raise


if core() is not None:
    os.register_at_fork(before=freeze_if_worth_it, after_in_child=_go_on_in_child)
    atexit.register(give_up)
