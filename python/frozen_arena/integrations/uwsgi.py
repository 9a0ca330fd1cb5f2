"""uWSGI: nothing but the variable; or two lines in the application's module, without it.

    from frozen_arena.integrations import uwsgi as frozen   # first
    frozen.ready()                                          # last

uWSGI forks in C and runs no hook of Python's, so that with the variable a handler of pthread_atfork
freezes before the first worker (`freeze_before_forks`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from frozen_arena.activation import freeze_if_worth_it, is_collecting
from frozen_arena.integrations import host
from frozen_arena.integrations.inheritance import is_uwsgi

__all__ = ["freeze_before_forks", "ready"]

_HOST = "uWSGI"
_LAZY = (
    "with lazy-apps (or lazy) each worker loads the application for itself and nothing can be "
    "shared; start uWSGI without it"
)
_registered: list[Any] = []  # what C calls must not be freed
_chained_to: list[Any] = []


def ready() -> None:
    """Freezes what was built until now, and gives copies back between requests from then on."""
    host.ready(_HOST, _LAZY if _is_lazy() else None)
    _come_after_requests()


def freeze_before_forks() -> None:
    """Has a fork in C freeze as ``os.fork()`` does, when enough has been collected.

    Called by `environment` when it activates under uWSGI. The handler takes the GIL.
    """
    if _registered:
        return
    libc = ctypes.CDLL(None)
    register = getattr(libc, "__register_atfork", None)
    if register is None:
        register = libc.pthread_atfork
    handler = ctypes.CFUNCTYPE(None)(_before_fork)
    _registered.append(handler)
    register(handler, None, None, None)


def _before_fork() -> None:
    if not is_collecting():
        return
    if _is_lazy():
        host.ready(_HOST, _LAZY)
        return
    freeze_if_worth_it()
    if not is_collecting():
        _come_after_requests()


def _is_lazy() -> bool:
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    return not {"lazy-apps", "lazy"}.isdisjoint(options)


def _come_after_requests() -> None:
    module: Any = sys.modules.get("uwsgi")
    if module is not None and not _chained_to:
        _chained_to.append(module)
        module.after_req_hook = _chained(getattr(module, "after_req_hook", None))


def _chained(hook: Callable[[], object] | None) -> Callable[[], None]:
    """Calls both: uWSGI has one place for a hook after requests."""

    def after_request() -> None:
        if hook is not None:
            hook()
        host.between_requests()

    return after_request


if is_uwsgi() and not is_collecting():
    host.collect(_HOST)  # with the variable it has begun, and forks freeze
