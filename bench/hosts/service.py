"""Servers of others for tests and measurements: started in a folder of their own, asked, ended.

Ends only what it has started, by its id: the process, and those that it has forked. Every wait has
a limit, and what a server has said is part of every error.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import harness

_START = 90.0  # seconds that a server has until it answers
_END = 20.0  # and from the request to end until it is killed
_ASKED = 60.0  # for one request


def free_port() -> int:
    """A port of the loopback device that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Service:
    """One running server; see `start`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        """What it and its workers have written on standard output and standard error."""
        return self._log.read_text(errors="replace")

    def descendants(self) -> list[int]:
        """Ids of the processes below it, as they are now."""
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            return [one.pid for one in psutil.Process(self.process.pid).children(recursive=True)]
        return []

    def wait_until(self, holds: Callable[[], Any], what: str, seconds: float = _START) -> Any:
        """Asks again and again until it is so; returns what `holds` returned.

        Raises:
            AssertionError: the server has ended, or it took too long; with what it has said.
        """
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self.process.wait(0.05)
                raise AssertionError(f"{what}: ended with status {status}\n{self.said}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds:g} s\n{self.said}")
        return found

    def end(self) -> None:
        """Asks it to end; kills it, and what is left of those below it, when it does not."""
        below = self.descendants()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_END)
        except subprocess.TimeoutExpired:
            below = self.descendants()
            self.process.kill()
            self.process.wait()
        for pid in below:
            _end_orphan(pid)


def _end_orphan(pid: int) -> None:
    """A worker of a server that has ended: waits for it, and kills it when it stays."""
    with contextlib.suppress(OSError):
        watched = os.pidfd_open(pid)
        try:
            if not select.select([watched], [], [], _END)[0]:
                signal.pidfd_send_signal(watched, signal.SIGKILL)
        finally:
            os.close(watched)


@contextlib.contextmanager
def start(
    command: Sequence[object], folder: Path, variables: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Runs a server from this checkout with `folder` as its home, until the block is left."""
    log = folder / f"{Path(str(command[0])).name}-{time.monotonic_ns()}.log"
    environment = harness.environment(**{"HOME": str(folder), **(variables or {})})
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )
    service = Service(process, log)
    try:
        yield service
    finally:
        service.end()


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis of its own that keeps nothing on disk; gives its URL."""
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with start([*command, "--appendonly", "no"], folder) as server:
        server.wait_until(lambda: answers(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0"


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def get(port: int, path: str) -> Any:
    """The JSON that a server answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=_ASKED) as answer:
        return json.load(answer)


def from_each(workers: int, ask: Callable[[], dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The answers of that many workers, by the process id in them, to questions asked at once.

    Raises:
        AssertionError: some worker has answered none of many.
    """
    found: dict[int, dict[str, Any]] = {}
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        for _ in range(40):
            for answer in threads.map(lambda _: ask(), range(workers)):
                found[answer["pid"]] = answer
            if len(found) >= workers:
                return found
    raise AssertionError(f"of {workers} workers only {sorted(found)} have answered")


def installed(name: str) -> str:
    """The path of a command of this virtual environment."""
    return str(Path(sys.executable).parent / name)
