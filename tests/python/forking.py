"""Forked children and fresh processes for tests: how to start them, wait for them and end them.

Only children started here are ever signalled, each by its own process id. A child answers with
JSON over a pipe; one that dies without an answer is reported with its signal.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

IS_DEBUG_BUILD = bool(sysconfig.get_config_var("Py_DEBUG")) or hasattr(sys, "gettotalrefcount")
HAS_IMMORTAL_OBJECTS = sys.version_info >= (3, 12)
TESTS = Path(__file__).resolve().parent

PRELUDE = """\
import gc, json, os, sys, threading, weakref
import frozen_arena as fa
from frozen_arena import frozen_arena
from forking import HAS_IMMORTAL_OBJECTS, check_ledgers, fork_and_report, in_thread
from forking import mortal_reasons
check_ledgers()
globals().update({f"_room_{number}": None for number in range(100)})
"""  # with room for more names, so that the snippet's own globals do not grow into an arena


def check_ledgers() -> None:
    """From now on every report that this process gets is checked: its parts equal its wholes."""
    from frozen_arena.ledger import broken
    from frozen_arena.report import FreezeReport, Sharing
    from frozen_arena.status import Status

    for kind in (FreezeReport, Sharing, Status):
        made = kind.__init__

        def checked(self: Any, *args: Any, _made: Any = made, **facts: Any) -> None:
            _made(self, *args, **facts)
            assert broken(self) is None, broken(self)

        kind.__init__ = checked


class ChildError(AssertionError):
    """A forked child raised, was killed by a signal, left early, or did not answer in time."""


def _answer(pipe: int, fn: Callable[[], Any]) -> NoReturn:
    """Runs ``fn`` in the child, sends its result or traceback, and leaves without cleaning up."""
    status = 1
    try:
        try:
            text = json.dumps({"result": fn()})
            status = 0
        except BaseException:
            text = json.dumps({"traceback": traceback.format_exc()})
        with os.fdopen(pipe, "w", encoding="utf-8") as out:
            out.write(text)
    finally:
        os._exit(status)


def _read_until_closed(pipe: int, deadline: float) -> bytes | None:
    """Everything written to ``pipe``, or None when it is still open at ``deadline``."""
    parts: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)


def describe_status(status: int) -> str:
    """A wait status in words: ``exit status 3`` or ``killed by SIGSEGV``."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def fork_and_report(fn: Callable[[], Any], *, timeout: float = 60.0) -> Any:
    """Runs ``fn`` in a forked child and returns its result, which must survive JSON.

    Raises:
        ChildError: with the child's traceback, or the signal or exit status that ended it.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _answer(writer, fn)
    os.close(writer)
    try:
        text = _read_until_closed(reader, time.monotonic() + timeout)
        if text is None:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(reader)
        _, status = os.waitpid(pid, 0)
    if text is None:
        raise ChildError(f"child {pid} did not answer within {timeout:g} s and was ended")
    if not text:
        raise ChildError(f"child {pid} sent no answer: {describe_status(status)}")
    message = json.loads(text)
    if "traceback" in message:
        raise ChildError(f"child {pid} raised:\n{message['traceback']}")
    return message["result"]


def in_thread(fn: Callable[[], Any]) -> Any:
    """Runs ``fn`` in a new thread, waits for it, and returns its result or raises its exception."""
    import threading

    box: dict[str, Any] = {}

    def body() -> None:
        try:
            box["result"] = fn()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["result"]


def mortal_reasons(report: Any) -> dict[str, str]:
    """Type name without its module -> reason, of what a FreezeReport lists as mortal."""
    return {name.rsplit(".", 1)[-1]: reason for name, reason, _ in report.mortal_types}


class Finished(subprocess.CompletedProcess[str]):
    """A finished fresh process, with ``.json``: what its last line of output said."""

    @property
    def json(self) -> Any:
        return json.loads(self.stdout.strip().splitlines()[-1])

    def story(self) -> str:
        """Everything there is to say about the run, for a failure message."""
        code = self.returncode
        ended = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        numbered = "\n".join(
            f"{number:4} {line}" for number, line in enumerate(self.source.splitlines(), 1)
        )
        return (
            f"fresh process: {ended}\n--- source\n{numbered}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )

    source: str = ""


def run_python(
    source: str,
    *args: str,
    env: Mapping[str, str | None] | None = None,
    timeout: float = 60.0,
    flags: Sequence[str] = (),
    prelude: str = PRELUDE,
    status: int | None = 0,
    wrap: Sequence[str] = (),
) -> Finished:
    """Runs ``source`` in a fresh interpreter, which sees this folder on its path.

    Args:
        source: a snippet, dedented; ``prelude`` (the package and the helpers here) comes first.
        args: ``sys.argv[1:]`` of the snippet.
        env: environment variables to set, or to remove where the value is None.
        prelude: what the snippet begins with.
        timeout: seconds after which this process, and no other, is killed.
        flags: interpreter flags, such as ``-X dev``.
        status: the exit status it must end with; None accepts any.
        wrap: a command that the interpreter is started through, such as ``unshare -m``.

    Raises:
        AssertionError: with source, output and the way it ended, where the status is another.
    """
    text = prelude + textwrap.dedent(source)
    variables = dict(os.environ)
    variables.pop("FROZEN_ARENA_TEST_FAULTS", None)
    variables["PYTHONPATH"] = os.pathsep.join(
        [str(TESTS), *filter(None, [variables.get("PYTHONPATH")])]
    )
    for name, value in (env or {}).items():
        if value is None:
            variables.pop(name, None)
        else:
            variables[name] = value
    command = [*wrap, sys.executable, "-X", "faulthandler", *flags, "-c", text, *args]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\n(did not end within {timeout:g} s and was killed)"
    finished = Finished(command, process.returncode, out, err)
    finished.source = text
    assert status is None or finished.returncode == status, finished.story()
    return finished
