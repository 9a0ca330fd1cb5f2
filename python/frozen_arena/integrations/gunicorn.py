"""gunicorn: one line in ``gunicorn.conf.py``, and ``--preload``.

    from frozen_arena.integrations.gunicorn import post_request, when_ready

Importing it, which gunicorn does before it loads the application, begins to collect. A
configuration with hooks of the same names calls these in them.
"""

from __future__ import annotations

from typing import Any

from frozen_arena.integrations.host import between_requests, collect, ready
from frozen_arena.integrations.inheritance import GUNICORN_WITHOUT_PRELOAD

__all__ = ["post_request", "when_ready"]

_HOST = "gunicorn"

collect(_HOST)


def when_ready(server: Any) -> None:
    """Freezes in the master: the application is loaded, and no worker is there yet.

    Args:
        server: gunicorn's arbiter.
    """
    ready(_HOST, None if server.cfg.preload_app else GUNICORN_WITHOUT_PRELOAD)


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    """Gives copies back when a request is done, at most a hundredth of the time."""
    between_requests()
