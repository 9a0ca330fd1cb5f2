"""What is to be done in the parent before the freeze: a few requests, so that caches are full."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from frozen_arena.errors import FrozenArenaWarning

__all__ = ["prewarm", "run_prewarming"]

_waiting: list[tuple[Callable[[], object], int]] = []


def prewarm(function: Callable[[], object], times: int = 8) -> None:
    """Has `function` called right before activation freezes, in the parent.

    What a first request fills in (specialised bytecode, compiled templates and regular
    expressions, caches of any kind) is then filled in once and shared, and not by each worker for
    itself. Twice is enough for CPython to specialise most code; loops that run seldom need more.

    The function must leave nothing open that two processes must not share: close the connections
    to databases that it opens. What it raises costs one `FrozenArenaWarning`, and the freeze goes
    on. Where nothing is frozen later on (no activation, a worker that is not to be frozen) it is
    not called. Blocks have no need of it: call the function inside.

    Args:
        function: without arguments, such as ``lambda: client.get("/")``.
        times: how often it is called.

    Raises:
        TypeError: `function` cannot be called, or `times` is no int.
        ValueError: `times` is below 1.
    """
    if not callable(function):
        raise TypeError(f"prewarm takes a function, not {type(function).__name__}")
    if isinstance(times, bool) or not isinstance(times, int):
        raise TypeError(f"times takes an int, not {type(times).__name__}")
    if times < 1:
        raise ValueError(f"times is at least 1; {times} is not")
    _waiting.append((function, times))


def run_prewarming() -> None:
    """Calls what waits, each once as often as it was asked for."""
    while _waiting:
        function, times = _waiting.pop(0)
        try:
            for _ in range(times):
                function()
        except Exception as error:
            warnings.warn(
                f"{function!r}, given to prewarm(), raised {type(error).__name__}: {error}; "
                "what it had not filled in yet each worker fills in for itself",
                FrozenArenaWarning,
                stacklevel=3,
            )
