"""Run when the interpreter starts: by frozen_arena.pth, from CPython 3.15 on by frozen_arena.start.

Nothing of the package is imported unless PYTHONFROZENARENA says so.
"""

import os
import sys

_has_run = False  # in virtual environments up to CPython 3.14 start-up files are run twice


def run() -> None:
    """Activates when the variable is set, unless the interpreter ignores its environment (-E)."""
    global _has_run
    off = os.environ.get("PYTHONFROZENARENA", "0") in ("", "0") or sys.flags.ignore_environment
    if off or _has_run:
        return
    _has_run = True
    from frozen_arena.environment import start

    start()
