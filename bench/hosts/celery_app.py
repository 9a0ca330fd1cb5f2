"""The catalogue behind Celery tasks. ``FZA_HOST_BROKER`` is Redis."""

from __future__ import annotations

import os
import sys
from typing import Any

if os.environ.get("FZA_HOST_LINE") == "1":
    import frozen_arena.integrations.celery  # noqa: F401

from celery import Celery

from bench.hosts import catalogue

app = Celery(
    "catalogue", broker=os.environ["FZA_HOST_BROKER"], backend=os.environ["FZA_HOST_BROKER"]
)
app.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)
if "worker" in sys.argv:
    catalogue.records()


@app.task
def facts() -> dict[str, Any]:
    """What the worker says of itself."""
    return catalogue.facts()


@app.task
def look_up(number: int) -> str:
    """One record's name."""
    return str(catalogue.records()[number]["name"])
