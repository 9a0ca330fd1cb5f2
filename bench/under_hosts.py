"""Under hosts: private memory of workers of real hosts that share a catalogue, by how it is shared.

Each host runs in turn with the application as it is, with ``gc.freeze()`` at its end, and with
``PYTHONFROZENARENA=1``: Django under gunicorn and uWSGI, with requests from four clients on the
loopback device; Celery with Redis; pools of multiprocessing and concurrent.futures; PyTorch's
DataLoader for two epochs; Spark's Python workers. A host that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import harness, memory, runner
from bench.hosts.service import installed
from bench.hosts.trees import RUNS, Run

MODULE = "bench.under_hosts"
_MIB, _QUICK_MIB = 200, 20
_REQUESTS, _QUICK_REQUESTS = 2_000, 100
_ROUNDS = 3
_MAX_OWN, _MAX_OWN_BARE, _MAX_TOGETHER, _MAX_SECONDS = 0.4, 0.7, 1.0, 1.03  # x gc.freeze
_BARE = "gunicorn, Django alone"
_NEEDS = {
    "gunicorn": ("django", "gunicorn"),
    "uWSGI": ("django", "uwsgi"),
    "Celery": ("celery", "redis", "redis-server"),
    "DataLoader": ("torch",),
    "PySpark": ("pyspark", "java"),
}


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the hosts, all ways of one after another, and compares them."""
    quick = arguments.quick
    mib = arguments.mib or (_QUICK_MIB if quick else _MIB)
    requests = _QUICK_REQUESTS if quick else _REQUESTS
    result = harness.Result(
        f"Four workers of real hosts, a catalogue of {mib} MiB",
        ["host", "how", "own MiB, most", "x gc.freeze", "tree MiB", "p50 ms", "p99 ms"],
    )
    for host in arguments.only or [_BARE, *RUNS]:
        missing = _missing(host)
        if missing:
            result.notes.append(f"{host}: left out, missing {', '.join(missing)} (make hosts)")
            continue
        run = RUNS["gunicorn, Django" if host == _BARE else host]
        size = 0 if host == _BARE else mib

        def one(mode: str, run: Any = run, size: int = size) -> Run:
            with tempfile.TemporaryDirectory() as folder:
                answer: Run = run(mode, size, Path(folder), requests)
                return answer

        served = "Django" in host
        rounds = 1 if quick or not served else _ROUNDS
        _enter(result, host, runner.in_rounds(result, harness.modes(), one, rounds), quick)
    if harness.NO_IMMORTALS[0]:
        result.notes.append("CPython 3.11: copies are given back by a thread, in its own time")
    return result


def _missing(host: str) -> list[str]:
    needs = next((what for name, what in _NEEDS.items() if host.startswith(name)), ())
    return [
        name
        for name in needs
        if not (name.isidentifier() and importlib.util.find_spec(name))
        and not shutil.which(name)
        and not Path(installed(name)).exists()
    ]


def _enter(result: harness.Result, host: str, found: dict[str, list[Run]], quick: bool) -> None:
    """Adds a row for each way, the figures, and the bounds of the host."""
    figures: dict[str, dict[str, float | None]] = {}
    for mode, runs in found.items():
        own = statistics.median(max(run.own) for run in runs)
        trees = [run.together for run in runs if run.together is not None]
        waits = [sorted(run.seconds) for run in runs if run.seconds]
        figures[mode] = {
            "own": own,
            "together": statistics.median(trees) if trees else None,
            "p50": statistics.median(one[len(one) // 2] for one in waits) if waits else None,
            "p99": statistics.median(one[len(one) * 99 // 100] for one in waits) if waits else None,
        }
        result.data.append({"host": host, "mode": mode, **figures[mode]})
    base = figures.get("gc.freeze")
    for mode, one in figures.items():
        result.rows.append(
            (
                host,
                mode,
                _scaled(one["own"], 1 / memory.MIB),
                _ratio(one, base, "own"),
                _scaled(one["together"], 1 / memory.MIB),
                _scaled(one["p50"], 1e3),
                _scaled(one["p99"], 1e3),
            )
        )
    frozen = figures.get("frozen")
    limits = {"own": _MAX_OWN_BARE if host == _BARE else _MAX_OWN}
    names = {"own": "private memory of a worker", "together": "tree (PSS)"}
    if "Django" in host:
        limits |= {"together": _MAX_TOGETHER, "p50": _MAX_SECONDS, "p99": _MAX_SECONDS}
    for key, limit in limits.items():
        result.bounds.append(
            harness.bound(
                f"{host}: {names.get(key, key)}, x gc.freeze",
                _ratio(frozen, base, key),
                limit,
                harness.no_package(),
                harness.too_small(quick),
            )
        )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _ratio(
    one: dict[str, float | None] | None, base: dict[str, float | None] | None, key: str
) -> float | None:
    above = one[key] if one else None
    below = base[key] if base else None
    return above / below if above is not None and below else None


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mib", type=int, help="size of the catalogue (default 200)")
    names = [_BARE, *RUNS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="HOST", help="; ".join(names))


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure, _arguments), __doc__))
