"""PySpark: a daemon that loads modules and freezes them before it forks workers.

Two settings:

    spark.python.daemon.module        frozen_arena.integrations.pyspark
    spark.executorEnv.FROZEN_ARENA_PRELOAD    catalog

Functions that look up in ``catalog`` import it, and find it loaded. Spark runs this module as a
program; standard output belongs to Spark, so what modules print goes to standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterator

from frozen_arena.integrations.host import collect, ready, say

__all__ = ["VARIABLE", "main"]

VARIABLE = "FROZEN_ARENA_PRELOAD"

_HOST = "PySpark"


@contextlib.contextmanager
def _standard_output_spared() -> Iterator[None]:
    """What is written to descriptor 1 meanwhile, by C code too, goes to descriptor 2."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def main() -> None:
    """Loads the modules that `VARIABLE` names, comma between them, freezes, and serves Spark."""
    with _standard_output_spared():
        collect(_HOST)
        from pyspark.daemon import manager

        names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
        if not names:
            say(_HOST, f"nothing to load: set spark.executorEnv.{VARIABLE} to names of modules")
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:  # the job may do without it, or say better what is wrong
                traceback.print_exc()
                say(_HOST, f"could not load {name!r}, so it is not shared; see above")
        ready(_HOST)
    manager()


if __name__ == "__main__":
    main()
