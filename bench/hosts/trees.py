"""The catalogue under each host once: started, worked, measured, ended. `RUNS` names them.

Each run takes the mode, a folder that is its home, and a size, and returns a `Run`.
"""

from __future__ import annotations

import concurrent.futures
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import harness, memory
from bench.hosts import catalogue, service

_LIMIT = 900.0  # seconds for a program that is no server


@dataclass(slots=True)
class Run:
    """What one run has shown; bytes and seconds.

    Attributes:
        own: What each worker held alone when the work was done.
        together: Proportional shares of the whole tree then; None for programs that have ended.
        seconds: Of each request, as the client saw it.
    """

    own: list[int]
    together: int | None = None
    seconds: list[float] = field(default_factory=list)


def variables(mode: str, mib: int) -> dict[str, str]:
    """The environment in which a host runs in that mode."""
    found = {catalogue.MODE: mode, catalogue.SIZE: str(mib)}
    if mode == "frozen":
        found["PYTHONFROZENARENA"] = "1"
    return found


def _requests(port: int, count: int, clients: int) -> list[float]:
    """Sends that many, by so many clients at once; the seconds of each."""

    def one(number: int) -> float:
        begun = time.perf_counter()
        address = f"http://127.0.0.1:{port}/{number}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            answer.read()
        return time.perf_counter() - begun

    chosen = random.Random(7)
    numbers = [chosen.randrange(100_000) for _ in range(count)]
    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        return list(threads.map(one, numbers))


def _measured(server: service.Service, seconds: list[float], leaves: int) -> Run:
    """The tree as it is now; workers are the `leaves` last of its processes to have begun."""
    pids = sorted(server.descendants())
    own = [memory.own_bytes(pid) for pid in pids[-leaves:]]
    return Run(own, memory.tree_pss([server.process.pid, *pids]), seconds)


def _served(command: list[object], mode: str, mib: int, folder: Path, requests: int) -> Run:
    workers, port = 4, service.free_port()
    words = [str(port) if word is service.free_port else word for word in command]
    words = [str(word).replace("PORT", str(port)) for word in words]
    with service.start(words, folder, variables(mode, mib)) as server:
        server.wait_until(lambda: service.answers(port), "its port")
        server.wait_until(lambda: len(server.descendants()) >= workers, "its workers")
        _requests(port, workers * 4, workers)
        seconds = _requests(port, requests, workers)
        return _measured(server, seconds, workers)


def gunicorn(mode: str, mib: int, folder: Path, requests: int) -> Run:
    """Django under gunicorn with --preload."""
    command = [service.installed("gunicorn"), "--preload", "-w", 4, "-b", "127.0.0.1:PORT"]
    return _served([*command, "bench.hosts.django_site"], mode, mib, folder, requests)


def uwsgi(mode: str, mib: int, folder: Path, requests: int) -> Run:
    """The same under uWSGI."""
    command = [service.installed("uwsgi"), "--http-socket", "127.0.0.1:PORT", "--master"]
    command += ["--processes", "4", "--die-on-term", "--need-app", "--virtualenv", sys.prefix]
    return _served([*command, "--module", "bench.hosts.django_site"], mode, mib, folder, requests)


def celery(mode: str, mib: int, folder: Path, requests: int) -> Run:
    """Tasks through Redis: look-ups, with a pass over everything now and then."""
    workers = 4
    with service.redis(folder) as broker:
        command = [service.installed("celery"), "-A", "bench.hosts.celery_app", "worker"]
        command += ["--concurrency", str(workers), "--loglevel", "INFO"]
        environment = {**variables(mode, mib), "FZA_HOST_BROKER": broker}
        with service.start(command, folder, environment) as server:
            server.wait_until(lambda: " ready." in server.said, "a worker that is ready", 300)
            client = ["bench.hosts.celery_client", str(requests), str(workers)]
            _program(client, "stock", mib, folder, FZA_HOST_BROKER=broker)
            return _measured(server, [], workers)


def _program(words: list[str], mode: str, mib: int, folder: Path, **more: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=harness.environment(HOME=str(folder), **variables(mode, mib), **more),
        capture_output=True,
        text=True,
        timeout=_LIMIT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{words} ended with status {done.returncode}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _own(answers: Mapping[str, dict[str, Any]]) -> Run:
    return Run([answer["own"] for answer in answers.values()])


def _pool(method: str, pool: str) -> Callable[[str, int, Path, int], Run]:
    def run(mode: str, mib: int, folder: Path, requests: int) -> Run:
        return _own(_program(["bench.hosts.pools", method, pool, "4"], mode, mib, folder))

    return run


def dataloader(mode: str, mib: int, folder: Path, requests: int) -> Run:
    """Two epochs: the workers of both."""
    first, second = _program(["bench.hosts.loader", "4"], mode, mib, folder)
    return _own({**first, **second})


def pyspark(mode: str, mib: int, folder: Path, requests: int) -> Run:
    """Look-ups in local[4]: Spark's daemon, one that loads, and ours."""
    more = {"FZA_HOST_DAEMON": "bench.hosts.spark_daemon"} if mode == "gc.freeze" else {}
    return _own(_program(["bench.hosts.spark_job", "4"], mode, mib, folder, **more))


RUNS: Mapping[str, Callable[[str, int, Path, int], Run]] = {
    "gunicorn, Django": gunicorn,
    "uWSGI, Django": uwsgi,
    "Celery": celery,
    "Pool, fork": _pool("fork", "Pool"),
    "Executor, fork": _pool("fork", "Executor"),
    "Pool, forkserver": _pool("forkserver", "Pool"),
    "Executor, forkserver": _pool("forkserver", "Executor"),
    "DataLoader": dataloader,
    "PySpark": pyspark,
}
"""What each host needs beside Python is what `make hosts` installs."""
