"""Serving worker: memory and pace of a worker that answers requests, by how it shares.

Three trees are alive at once: stock, a sealed arena that is left alone (``reshare="never"``), and
one whose copies go back by themselves (``reshare="auto"``). Each parent loads JSON records and
forks one worker, which answers HTTP requests as fast as they come: it looks one record up, renders
it into a page and compresses that, which takes about the millisecond that a web framework does.
The workers take turns of some seconds; those whose turn it is not are stopped by a signal, so that
nothing of them runs meanwhile. With ``--bare`` the answer is the record alone: such a worker copies
several times as much in a second, and there is no bound.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import signal
import socket
import sys
import time
from statistics import geometric_mean
from typing import Any

from bench import harness, memory, wsgi_worker
from bench.datasets import DATASETS

MODULE = "bench.serving_worker"
_DATASET = "json_records"
_MORTAL = {} if harness.NO_IMMORTALS[0] else {"keep_mortal": (int, float, str)}
_HOW = {
    "stock": ("stock", {}),
    "never": ("frozen", {**_MORTAL, "reshare": "never"}),
    "auto": ("frozen", {**_MORTAL, "reshare": "auto"}),
}
_SCALE = 8.0
_SECONDS = 60.0  # that each worker serves
_TURNS = 12
_MAX_GROWTH = 0.10
_MAX_SECONDS = 1.03  # a request


def tree(request: dict[str, Any]) -> None:
    """Loads the records, forks the worker, and waits until the client is done with it.

    Args:
        request: ``how``, a key of `_HOW`, ``scale``, and whether answers are ``bare``.
    """
    dataset = DATASETS[_DATASET]
    mode, options = _HOW[request["how"]]
    with harness.prepared(mode, request["how"], {**dataset.options, **options}):
        records = dataset.build(request["scale"])
    gc.collect()
    listener = socket.create_server(("127.0.0.1", 0))
    child = harness.Child(lambda: _answer_requests(listener, records, request["bare"]))
    greeting = {"port": listener.getsockname()[1], "pid": child.pid, "records": len(records)}
    listener.close()
    harness.serve(greeting, child.answer)


def _answer_requests(listener: socket.socket, records: list[Any], bare: bool) -> list[int]:
    """In the worker: the collections of each generation until the client asks for ``/stop``."""
    import zlib
    from html import escape

    rest = "".join(f'<li class="entry"><a href="/{n}">entry {n}</a></li>\n' for n in range(2600))

    def make_body(place: int) -> bytes:
        record = json.dumps(records[place])
        if bare:
            return record.encode()
        return zlib.compress(f"<pre>{escape(record)}</pre><ul>{rest}</ul>".encode())

    before = [one["collections"] for one in gc.get_stats()]
    headers = () if bare else (("Content-Encoding", "deflate"),)
    wsgi_worker.answer_requests(listener, make_body, headers)
    return [one["collections"] - was for one, was in zip(gc.get_stats(), before, strict=True)]


class _Client:
    """Asks one worker for random records; the worker runs only while this does."""

    def __init__(self, stack: contextlib.ExitStack, request: harness.Request) -> None:
        self._tree = harness.Served(stack, MODULE, request)
        self._port = self._tree.greeting["port"]
        self._records = self._tree.greeting["records"]
        self._pid = self._tree.greeting["pid"]
        self._places = random.Random(4)
        wsgi_worker.get(self._port, 0)
        os.kill(self._pid, signal.SIGSTOP)
        self.own_bytes = [memory.own_bytes(self._pid)]
        self.paces: list[float] = []  # requests a second

    def take_turn(self, seconds: float) -> None:
        """Sends requests for that long, one after the other, and takes the memory at the end."""
        os.kill(self._pid, signal.SIGCONT)
        start, count = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds:
            wsgi_worker.get(self._port, self._places.randrange(self._records))
            count += 1
        os.kill(self._pid, signal.SIGSTOP)
        self.paces.append(count / passed)
        self.own_bytes.append(memory.own_bytes(self._pid))

    @property
    def growth(self) -> list[int]:
        """Bytes that the worker holds alone and did not before it served, by sample."""
        return [amount - self.own_bytes[0] for amount in self.own_bytes[1:]]

    def end(self) -> list[int]:
        """Ends the worker; how often each generation was collected."""
        os.kill(self._pid, signal.SIGCONT)
        wsgi_worker.get(self._port, "stop")
        collections: list[int] = self._tree.ask()
        return collections


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Lets the workers take turns, and compares them."""
    small = arguments.quick
    scale, seconds, turns = (0.2, 6.0, 4) if small else (_SCALE, _SECONDS, _TURNS)
    hows = [how for how in _HOW if how == "stock" or harness.package_version()]
    with contextlib.ExitStack() as stack:
        common = {"scale": scale, "bare": arguments.bare}
        clients = {how: _Client(stack, {"how": how, **common}) for how in hows}
        for _ in range(turns):
            for client in clients.values():
                client.take_turn(seconds / turns)
        collections = {how: sum(client.end()) for how, client in clients.items()}
    mib = round(DATASETS[_DATASET].mib * scale)
    result = harness.Result(
        f"A worker looks up {mib} MiB of records for {seconds:g} s",
        ["worker", "growth MiB, most", "at the end", "collections", "requests/s"],
    )
    for how, client in clients.items():
        growth = [amount / memory.MIB for amount in client.growth]
        pace = harness.middle(client.paces)
        result.rows.append([how, max(growth), growth[-1], collections[how], pace])
        figures = {"growth_mib": growth, "paces": client.paces, "collections": collections[how]}
        result.data.append({"worker": how, **figures})
    if _MORTAL:
        result.notes.append("what is counted: numbers and strings (keep_mortal=(int, float, str))")
    most = slower = None
    if "auto" in clients:
        stock, never, auto = (clients[how] for how in _HOW)
        most = max(auto.growth) / stock.growth[-1]
        slower = geometric_mean(
            without / with_it for without, with_it in zip(never.paces, auto.paces, strict=True)
        )
    obstacles = (
        harness.no_package(),
        harness.too_small(small),
        (arguments.bare, "bare look-ups, faster than copies go back"),
    )
    result.bounds += [
        harness.bound("growth by itself at most, x stock", most, _MAX_GROWTH, *obstacles),
        harness.bound("time of a request, x never", slower, _MAX_SECONDS, *obstacles),
    ]
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bare", action="store_true", help="answer with the record alone")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
