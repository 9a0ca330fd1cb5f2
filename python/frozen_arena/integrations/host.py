"""What the modules beside it share: collect, freeze when all is loaded, reshare between requests.

The one place where a host's module touches activation. Everything here runs in programs of others:
it never raises for lack of an arena, and says at most one line for each thing that is the matter.
"""

from __future__ import annotations

import contextlib
import sys
import warnings

from frozen_arena._support import core, is_subinterpreter, reason_unsupported
from frozen_arena.activation import activate, freeze, give_up, is_collecting, leave_forks_alone
from frozen_arena.arena import Arena, arenas, reshare, reshares_by_itself
from frozen_arena.errors import FrozenArenaError, FrozenArenaWarning, Unsupported

__all__ = ["between_requests", "collect", "ready", "say"]

_MORTAL = 0.01  # of all objects: with fewer there is next to nothing to give back
_SHARE = 0.01  # of the time of a worker, for giving copies back
_said: set[str] = set()


def collect(host: str, *, until_ready: bool = True) -> None:
    """From now on everything that is built is collected, unless it is already.

    Args:
        host: how the host calls itself, for what is said.
        until_ready: forks freeze nothing; `ready` will be called. Hosts fork for other purposes
            too: managers, subprocesses with ``preexec_fn``, a new master.
    """
    if core() is None:
        if not is_subinterpreter():
            say(host, f"nothing is frozen: {reason_unsupported()}")
        return
    if not is_collecting() and not any(arena.state == "sealed" for arena in arenas()):
        activate()
    if until_ready:
        leave_forks_alone()


def ready(host: str, why_not: str | None = None) -> Arena | None:
    """Freezes what was collected: all is loaded, and the next forks are workers.

    Args:
        host: as for `collect`.
        why_not: why workers will inherit nothing, in words, with what to do about it. It is said
            once, and nothing is collected any longer.

    Returns:
        The sealed arena; None where there is none.
    """
    if why_not is not None:
        if core() is not None:
            say(host, why_not)
        give_up()
        return None
    if not is_collecting():
        return None
    try:
        return freeze()
    except FrozenArenaError as error:
        warnings.warn(f"{host}: not frozen: {error}", FrozenArenaWarning, stacklevel=3)
        return None


def between_requests() -> None:
    """Gives copies back that say what the sealed file says again; at most 1 % of the time.

    Nothing where a thread does so by itself (CPython 3.11), and where all that was frozen is
    immortal.
    """
    if reshares_by_itself():
        return
    reports = [arena.report for arena in arenas() if arena.report is not None]
    mortal = sum(report.mortal for report in reports)
    if sys.version_info >= (3, 12) and mortal <= _MORTAL * sum(one.objects for one in reports):
        return
    with contextlib.suppress(Unsupported):
        reshare(budget=_SHARE)


def say(host: str, sentence: str) -> None:
    """One line on standard error, once in a process and those that are forked from it."""
    line = f"frozen arena, {host}: {sentence}"
    if line in _said or sys.stderr is None:
        return
    _said.add(line)
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
