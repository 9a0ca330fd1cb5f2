"""Forked workers of a tree: they do a piece of work, answer, and wait for what comes next.

Scenarios take `Child` from harness.py; this file knows nothing of scenarios.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from resource import struct_rusage
from typing import Any

_AGAIN, _LEAVE = b"a", b"\n"


class Child:
    """A forked worker: runs `work`, sends its answer, and waits.

    It works once at the start and once for each `again`, until it is let go.
    """

    def __init__(self, work: Callable[[], Any], *, as_program: bool = False) -> None:
        """Forks; in the child, nothing after this call is executed.

        Args:
            work: What the child does; its result must be what JSON can carry.
            as_program: When it is let go the child ends as a program does, through the end of the
                interpreter, in the frames that called this. Otherwise it ends on the spot.
        """
        from_child, to_parent = os.pipe()
        from_parent, to_child = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(from_child)
            os.close(to_child)
            status = 1
            try:
                status = _work_until_let_go(work, to_parent, from_parent)
            finally:
                if not as_program:
                    os._exit(status)
            sys.exit(status)
        os.close(to_parent)
        os.close(from_parent)
        self._answers = os.fdopen(from_child, "rb")
        self._gate = to_child

    def answer(self) -> Any:
        """Waits until the work is done and returns what it returned; the child is then paused.

        Raises:
            RuntimeError: The child failed or died.
        """
        line = self._answers.readline()
        content = json.loads(line) if line else {"error": "the child died"}
        if "error" in content:
            raise RuntimeError(content["error"])
        return content["answer"]

    def again(self) -> None:
        """Has the child do its work once more; its answer is waited for by `answer`."""
        os.write(self._gate, _AGAIN)

    def let_go(self) -> None:
        """Lets the child end."""
        os.write(self._gate, _LEAVE)  # closing alone is not seen: siblings hold the other end too
        os.close(self._gate)
        self._answers.close()

    def reap(self) -> struct_rusage:
        """Waits for the end of a child that was let go; what it used in its life."""
        return os.wait4(self.pid, 0)[2]

    def leave(self) -> struct_rusage:
        """Lets the child end, and reaps it."""
        self.let_go()
        return self.reap()


def _work_until_let_go(work: Callable[[], Any], to_parent: int, from_parent: int) -> int:
    """Life of a child; returns its exit status."""
    order = _AGAIN
    status = 1
    while order == _AGAIN:
        status = 1
        try:
            content = {"answer": work()}
            status = 0
        except BaseException as error:
            content = {"error": f"{type(error).__name__}: {error}"}
        os.write(to_parent, json.dumps(content).encode() + b"\n")
        order = os.read(from_parent, 1)
    return status
