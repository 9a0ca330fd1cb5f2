"""Says once where nothing can be inherited: fresh interpreters, applications loaded in workers.

Begun by `environment` when it activates, as nothing else would notice. An import finder that finds
nothing sees which way of starting processes a program loads; a hook before forks sees gunicorn's
first worker. Hosts are recognised by what they have imported themselves.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from frozen_arena.activation import is_collecting
from frozen_arena.integrations.host import ready, say

__all__ = ["GUNICORN_WITHOUT_PRELOAD", "is_uwsgi", "watch"]

GUNICORN_WITHOUT_PRELOAD = (
    "without --preload each worker loads the application for itself and nothing can be shared; "
    "start gunicorn with --preload (preload_app = True)"
)
_FRESH = {
    "multiprocessing.popen_spawn_posix": (
        "multiprocessing",
        "processes that are started by the spawn method inherit nothing (uvicorn and hypercorn "
        "start their workers so); use the fork or forkserver method, or gunicorn --preload",
    ),
    "ray": (
        "Ray",
        "workers of Ray are fresh interpreters and inherit nothing; what they share is what "
        "ray.put() holds, in Ray's own memory",
    ),
}


class _Finder:
    """Stands first in ``sys.meta_path``, finds nothing, and sees what is asked for."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in _FRESH:
            say(*_FRESH[name])


def watch() -> None:
    """From now on what nobody can inherit is said when it comes up."""
    if "--multiprocessing-fork" in sys.orig_argv:
        return  # spawned itself: its parent has said it
    sys.meta_path.insert(0, _Finder())
    os.register_at_fork(before=_look_at_gunicorn)
    if is_uwsgi():
        from frozen_arena.integrations.uwsgi import freeze_before_forks

        freeze_before_forks()


def is_uwsgi() -> bool:
    """Whether this process is uWSGI: by its program, as its module comes after start-up files."""
    try:
        return Path("/proc/self/exe").readlink().name.startswith("uwsgi")
    except OSError:
        return False


def _look_at_gunicorn() -> None:
    if "gunicorn.arbiter" not in sys.modules or not is_collecting():
        return
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "spawn_worker":
            server = frame.f_locals.get("self")
            if not getattr(getattr(server, "cfg", None), "preload_app", True):
                ready("gunicorn", GUNICORN_WITHOUT_PRELOAD)
            return
        frame = frame.f_back
