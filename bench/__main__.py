"""Runs every scenario for this interpreter, or those that are named, and sums up all bounds.

Figures go to ``bench/results/SCENARIO-X.Y.json``, or with ``--quick`` nowhere unless ``--results``
says so. Options of one scenario are given to it alone: ``python -m bench.SCENARIO --help``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import harness

SCENARIOS = (
    "copied_pages",
    "eight_workers",
    "fork_cost",
    "first_pass",
    "block_cost",
    "many_arenas",
    "outside",
    "copy_on_write",
    "write_matrix",
)
TOOLS = ("loops", "write_matrix_page")  # what else in this folder is a program


def main() -> int:
    """Runs the scenarios one after another.

    Returns:
        0 when no bound is broken and no scenario failed, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="small data, few rounds")
    parser.add_argument("--results", type=Path, metavar="DIR", help="where the JSON goes")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.scenarios) - set(SCENARIOS))
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)} (there are {', '.join(SCENARIOS)})")
    version = ".".join(platform.python_version_tuple()[:2])
    with tempfile.TemporaryDirectory() as scratch:
        kept = arguments.results or (Path(scratch) if arguments.quick else harness.RESULTS)
        runs = [
            _run(name, kept.resolve() / f"{name}-{version}.json", arguments.quick)
            for name in SCENARIOS
            if not arguments.scenarios or name in arguments.scenarios
        ]
    harness.show(sum_up(runs))
    failed = [run["scenario"] for run in runs if run["failed"]]
    if failed:
        print(f"failed, without figures: {', '.join(failed)}")
    broken = any(bound["status"] == harness.BROKEN for run in runs for bound in run["bounds"])
    return 1 if failed or broken else 0


def _run(name: str, path: Path, quick: bool) -> dict[str, Any]:
    """Runs one scenario and returns its JSON, with ``failed`` and ``seconds`` added."""
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"bench.{name}", "--json", str(path)]
    start = time.perf_counter()
    subprocess.run(command + ["--quick"] * quick, cwd=harness.CHECKOUT, check=False)
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"bounds": []}
    added = {"scenario": name, "failed": not path.exists(), "seconds": time.perf_counter() - start}
    return {**content, **added}


def sum_up(runs: list[dict[str, Any]]) -> harness.Result:
    """One line a bound; a bound on every data set is one line, with the worst of them."""
    result = harness.Result("Bounds", ["scenario", "bound", "measured", "at most", "", "seconds"])
    statuses: Counter[str] = Counter()
    for run in runs:
        groups: dict[str, list[dict[str, Any]]] = {}
        for bound in run["bounds"]:
            statuses[bound["status"]] += 1
            groups.setdefault(bound["what"].rpartition(": ")[2], []).append(bound)
        lines = [_line(kind, bounds) for kind, bounds in groups.items()] or [("", None, None, "")]
        seconds = f"{run['seconds']:.0f}"
        for line in lines:
            result.rows.append((run["scenario"], *line, seconds))
            seconds = ""
    total = sum(run["seconds"] for run in runs)
    counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
    result.notes.append(f"{statuses.total()} bounds: {counts or 'none'}; {total:.0f} seconds")
    return result


def _line(kind: str, bounds: list[dict[str, Any]]) -> tuple[Any, ...]:
    """What the table says of the bounds of one kind: how many, the worst, how they stand."""
    measured = [bound for bound in bounds if bound["measured"] is not None]
    statuses = Counter(bound["status"] for bound in bounds)
    state = ", ".join(
        status if count == len(bounds) else f"{count} {status}"
        for status, count in statuses.items()
    )
    reasons = {bound["reason"]: None for bound in bounds if bound["reason"]}
    if reasons:
        state += f": {', '.join(reasons)}"
    if not measured:
        return kind, None, bounds[0]["limit"], state
    worst = max(measured, key=lambda bound: bound["measured"] - bound["limit"])
    what = f"{kind}, worst of {len(measured)}" if len(measured) > 1 else kind
    return what, worst["measured"], worst["limit"], state


if __name__ == "__main__":
    sys.exit(main())
