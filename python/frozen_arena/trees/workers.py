"""Forked workers that answer requests over socket pairs, and the parent that drives them.

A message is four bytes of length, big-endian, and a pickle. Workers end when their socket closes,
so none outlives the parent however it dies: each worker closes the parent's ends of all sockets
that it inherited. A worker leaves with `os._exit`: what the parent registered for its exit and has
in its buffers is not the worker's business.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import struct
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, NoReturn, Self

Handler = Callable[[Any], Any]
"""Runs in the worker: a request in, a response out."""

_HEADER: Final = struct.Struct(">I")
_WINDOW: Final = 2  # requests under way for each worker, so that none waits for the parent
_SILENCE_SECONDS: Final = 120.0  # a worker that says nothing for so long is broken
_GOODBYE_SECONDS: Final = 5.0


class WorkerError(RuntimeError):
    """A worker raised, ended early, or says nothing any more."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Sent by a worker instead of a response."""

    text: str


@dataclass(slots=True)
class _Worker:
    pid: int
    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)
    waiting: list[int] = field(default_factory=list)
    """Numbers of the requests under way, oldest first."""


@dataclass(frozen=True, slots=True)
class Responses:
    """What driving the workers gave."""

    raw: list[bytes]
    """A pickle for each request, in the order of the requests."""
    began: float
    first: float
    ended: float
    """Seconds on the clock of `time.perf_counter`: start, first response, last response."""


class Workers:
    """N forked workers. Used as a context manager; leaving it ends them."""

    def __init__(
        self,
        count: int,
        handler: Handler,
        begin: Callable[[], object] | None = None,
        between: Callable[[], object] | None = None,
    ) -> None:
        """Forks the workers.

        Args:
            count: How many.
            handler: Called in a worker for each request.
            begin: Called in a worker before anything else.
            between: Called in a worker after each response has been sent.
        """
        self.fork_seconds: list[float] = []
        """What each call of `os.fork` took in the parent."""
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._fork(handler, begin, between)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        failed = self.close()
        if exc is None and failed:
            raise WorkerError(failed)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def drive(
        self, requests: Sequence[Any], progress: Callable[[int], None] | None = None
    ) -> Responses:
        """Sends every request, in turn over all workers, and collects the responses.

        Which worker gets which request does not depend on their speed, so that every run gives
        every worker the same work.

        Args:
            requests: What to ask; anything that can be pickled.
            progress: Called with the number of responses until then.

        Raises:
            WorkerError: A worker raised, ended early, or says nothing any more.
        """
        raw: list[bytes | None] = [None] * len(requests)
        count = len(self._workers)
        queues = [list(range(at, len(requests), count))[::-1] for at in range(count)]
        began = time.perf_counter()
        first = ended = began
        done = 0
        with selectors.DefaultSelector() as selector:
            for worker, queue in zip(self._workers, queues, strict=True):
                selector.register(worker.sock, selectors.EVENT_READ, (worker, queue))
                _fill(worker, queue, requests)
            while done < len(requests):
                events = selector.select(_SILENCE_SECONDS)
                if not events:
                    raise WorkerError(f"no worker answered for {_SILENCE_SECONDS:.0f} seconds")
                for key, _ in events:
                    worker, queue = key.data
                    for message in _receive(worker):
                        raw[worker.waiting.pop(0)] = message
                        done += 1
                        ended = time.perf_counter()
                        if done == 1:
                            first = ended
                    _fill(worker, queue, requests)
                if progress is not None:
                    progress(done)
        return Responses([one for one in raw if one is not None], began, first, ended)

    def ask_each(self, request: Any) -> list[Any]:
        """The response of every worker to the same request, by worker.

        Raises:
            WorkerError: A worker raised, ended early, or says nothing any more.
        """
        responses = self.drive([request] * len(self._workers))
        return [decode(message) for message in responses.raw]

    def close(self) -> str | None:
        """Ends the workers and waits for them; says which of them did not end well, if any."""
        for worker in self._workers:
            worker.sock.close()
        failed = []
        deadline = time.monotonic() + _GOODBYE_SECONDS
        for worker in self._workers:
            status = _wait(worker.pid, deadline)
            if status != 0:
                failed.append(f"worker {worker.pid} ended with status {status}")
        self._workers = []
        return "; ".join(failed) or None

    def _fork(
        self,
        handler: Handler,
        begin: Callable[[], object] | None,
        between: Callable[[], object] | None,
    ) -> None:
        ours, theirs = socket.socketpair()
        before = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            others = [ours, *(worker.sock for worker in self._workers)]
            _run_worker(theirs, others, handler, begin, between)
        self.fork_seconds.append(time.perf_counter() - before)
        theirs.close()
        self._workers.append(_Worker(pid, ours))


def decode(message: bytes) -> Any:
    """The response in a message.

    Raises:
        WorkerError: The handler raised; the text is its traceback.
    """
    response = pickle.loads(message)
    if isinstance(response, _Failure):
        raise WorkerError(f"a worker failed:\n{response.text}")
    return response


def _fill(worker: _Worker, queue: list[int], requests: Sequence[Any]) -> None:
    """Sends requests until as many are under way as there may be."""
    try:
        while queue and len(worker.waiting) < _WINDOW:
            number = queue.pop()
            _send(worker.sock, pickle.dumps(requests[number]))
            worker.waiting.append(number)
    except OSError as error:
        raise WorkerError(f"worker {worker.pid} takes no requests: {error}") from error


def _receive(worker: _Worker) -> list[bytes]:
    """The messages that have arrived completely; call it when the socket can be read."""
    try:
        data = worker.sock.recv(1 << 16)
    except OSError as error:
        raise WorkerError(f"worker {worker.pid} cannot be heard: {error}") from error
    if not data:
        raise WorkerError(f"worker {worker.pid} ended early")
    worker.received += data
    messages = []
    while len(worker.received) >= _HEADER.size:
        (length,) = _HEADER.unpack_from(worker.received)
        end = _HEADER.size + length
        if len(worker.received) < end:
            break
        messages.append(bytes(worker.received[_HEADER.size : end]))
        del worker.received[:end]
    return messages


def _send(sock: socket.socket, message: bytes) -> None:
    sock.sendall(_HEADER.pack(len(message)) + message)


def _run_worker(
    sock: socket.socket,
    others: list[socket.socket],
    handler: Handler,
    begin: Callable[[], object] | None,
    between: Callable[[], object] | None,
) -> NoReturn:
    """The whole life of a worker."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that ends us
        for other in others:
            other.close()
        if begin is not None:
            begin()
        _serve(sock, handler, between)
        status = 0
    except (BrokenPipeError, ConnectionResetError):
        status = 0  # the parent has gone
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve(sock: socket.socket, handler: Handler, between: Callable[[], object] | None) -> None:
    """Answers until the parent closes the socket."""
    with sock.makefile("rb") as stream:
        while header := stream.read(_HEADER.size):
            request = pickle.loads(stream.read(*_HEADER.unpack(header)))
            try:
                response = handler(request)
            except Exception:
                response = _Failure(traceback.format_exc())
            _send(sock, pickle.dumps(response))
            if between is not None:
                del request, response  # what they hold is counted
                between()


def _wait(pid: int, deadline: float) -> int:
    """The exit status of a child; one that is still there at the deadline is killed."""
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
