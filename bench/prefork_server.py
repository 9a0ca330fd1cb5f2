"""Prefork server: queries a second of a server whose workers look records up, by peer.

A parent holds the records and listens; its workers, one for each core, accept from the one socket
and answer with a record as JSON. Servers of all peers are alive at once and take turns of some
seconds; those whose turn it is not are stopped by a signal. The first turn is when workers copy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench import harness, memory, runner, wsgi_worker
from bench.peers import PEERS, Peer
from bench.records import SIMPLE, Records

MODULE = "bench.prefork_server"
_MIB, _QUICK_MIB = 200, 8
_SECONDS, _QUICK_SECONDS = 5.0, 0.5  # a turn
_TURNS, _QUICK_TURNS = 6, 2
_MAX_TIME = 1.02  # x stock


def tree(request: dict[str, Any]) -> None:
    """Holds the records, forks the workers, and waits until the client is done with them.

    Args:
        request: ``peer``, ``mib``, ``workers`` and ``folder``.
    """
    records = Records(SIMPLE, 50, request["mib"])
    open_in_worker = PEERS[request["peer"]].hold(records, Path(request["folder"]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def work() -> int:
        reader = open_in_worker()
        wsgi_worker.answer_requests(
            listener, lambda number: json.dumps(reader.record(number)).encode()
        )
        return 0

    workers = [harness.Child(work) for _ in range(request["workers"])]
    port = listener.getsockname()[1]
    listener.close()
    greeting = {"port": port, "pids": [one.pid for one in workers], "records": records.count}
    harness.serve(greeting, lambda: [worker.answer() for worker in workers])


class _Client:
    """Asks one server for random records from as many threads as it has workers."""

    def __init__(self, stack: contextlib.ExitStack, request: dict[str, Any]) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self._tree = harness.Served(stack, MODULE, {**request, "folder": folder})
        self._port = self._tree.greeting["port"]
        self._records = self._tree.greeting["records"]
        self._pids: list[int] = self._tree.greeting["pids"]
        self._signal(signal.SIGSTOP)

    def take_turn(self, seconds: float) -> dict[str, float]:
        """Queries a second, processor microseconds of the workers a query, and their own MiB."""
        answered = [0] * len(self._pids)
        end = time.perf_counter() + seconds

        def ask(place: int) -> None:
            chance = random.Random(place)
            while time.perf_counter() < end:
                wsgi_worker.get(self._port, chance.randrange(self._records))
                answered[place] += 1

        self._signal(signal.SIGCONT)
        start, used = time.perf_counter(), self._cpu_seconds()
        threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(answered))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        passed, used = time.perf_counter() - start, self._cpu_seconds() - used
        self._signal(signal.SIGSTOP)
        count = sum(answered)
        return {
            "queries_per_second": count / passed,
            "cpu_us": used / count * 1e6,
            "own_mib": sum(map(memory.own_bytes, self._pids)) / len(self._pids) / memory.MIB,
        }

    def end(self) -> None:
        """Ends the workers."""
        self._signal(signal.SIGCONT)
        for _ in self._pids:
            wsgi_worker.get(self._port, "stop")
        self._tree.ask()

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids:
            os.kill(pid, number)

    def _cpu_seconds(self) -> float:
        import psutil

        times = [psutil.Process(pid).cpu_times() for pid in self._pids]
        return float(sum(one.user + one.system for one in times))


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Lets the servers take turns."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    seconds, turns = (_QUICK_SECONDS, _QUICK_TURNS) if quick else (_SECONDS, _TURNS)
    workers = len(os.sched_getaffinity(0))
    result = harness.Result(
        f"{workers} workers answer from {mib} MiB of records, {turns} turns of {seconds:g} s",
        ["peer", "queries/s, first turn", "later", "quartiles", "CPU us a query", "own MiB"],
    )
    paces: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        clients: dict[str, _Client] = {}
        for peer in runner.peers(result, arguments.peer):
            with result.tried(peer.name):
                clients[peer.name] = _start(stack, peer, mib, workers)
        found = runner.in_rounds(
            result, list(clients), lambda name: clients[name].take_turn(seconds), turns
        )
        for name, turns_taken in found.items():
            paces[name] = _enter(result, name, turns_taken)
            clients[name].end()
    both = {"stock", "frozen arena"} <= paces.keys()
    result.bounds.append(
        harness.bound(
            "time of a query, x stock",
            paces["stock"] / paces["frozen arena"] if both else None,
            _MAX_TIME,
            harness.no_package(),
            harness.NO_IMMORTALS,
            harness.too_small(quick),
            (not both, "left out or failed"),
        )
    )
    return result


def _start(stack: contextlib.ExitStack, peer: Peer, mib: float, workers: int) -> _Client:
    stack.enter_context(peer.machine())
    return _Client(stack, {"peer": peer.name, "mib": mib, "workers": workers})


def _enter(result: harness.Result, name: str, turns: list[dict[str, float]]) -> float:
    """Adds the row of a peer and its figures; queries a second after the first turn."""
    first, later = turns[0], turns[1:]
    pace = runner.spread([turn["queries_per_second"] for turn in later])
    cpu = runner.spread([turn["cpu_us"] for turn in later])
    result.rows.append(
        (
            name,
            f"{first['queries_per_second']:,.0f}",
            f"{pace['median']:,.0f}",
            f"{pace['low']:,.0f} - {pace['high']:,.0f}",
            cpu["median"],
            turns[-1]["own_mib"],
        )
    )
    figures = {"first": first, "queries_per_second": pace, "cpu_us": cpu}
    result.data.append({"peer": name, **figures, "own_mib": turns[-1]["own_mib"]})
    return pace["median"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help=f"size of the records (default {_MIB})")
    parser.add_argument("--peer", nargs="+", choices=PEERS, help="these peers only")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
