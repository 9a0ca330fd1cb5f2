"""Finishing at exit what an immortal holder would never let go of: files, then the rest.

A frozen instance holds its references for ever, so a buffered file in it would never be flushed, a
temporary file never removed. The freeze lists such objects (weakly where it can), and this module
finishes them when the interpreter exits. It registers itself when the package is imported: exit
functions run last in, first out, so those that the program registers later still find its files
open.
"""

from __future__ import annotations

import atexit
from typing import Any

from frozen_arena._support import core

__all__ = ["pending"]

pending: list[Any] = []
"""What the freeze has found, in the form that ``_core.finish_all`` takes."""


def _at_exit() -> None:
    native = core()
    if native is not None:
        native.finish_all(pending)


atexit.register(_at_exit)
