"""Celery with its prefork pool: a line at the top of the application's module.

    import frozen_arena.integrations.celery

or, with the variable, ``celery -A app worker --include frozen_arena.integrations.celery``.
Importing it begins to collect in workers alone; who only sends tasks imports the application too.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from celery import signals

from frozen_arena.integrations.host import between_requests, collect, ready

__all__: list[str] = []

_HOST = "Celery"


def _is_worker() -> bool:
    return "worker" in sys.argv[1:] and Path(sys.argv[0]).name in {"celery", "__main__.py"}


def _freeze(instance: Any, **_: Any) -> None:
    """Tasks are imported, and nothing is forked: a beat (-B) is the first."""
    pool = f"{instance.pool_cls.__module__}".rpartition(".")[2]
    why_not = None
    if pool != "prefork":
        why_not = (
            f"the pool {pool!r} runs tasks in this process and has nothing to share; "
            "start the worker with --pool prefork for processes that do"
        )
    ready(_HOST, why_not)


def _task_is_done(**_: Any) -> None:
    between_requests()


if _is_worker():
    collect(_HOST)
    signals.celeryd_after_setup.connect(_freeze)
    signals.task_postrun.connect(_task_is_done)
