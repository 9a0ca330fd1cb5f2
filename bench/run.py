"""Runs every scenario for this interpreter, and sums up the bounds in one table.

``python -m bench`` is the same. Figures go to ``bench/results/SCENARIO-X.Y.json``, or with
``--quick`` nowhere unless ``--results`` says so.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import harness

SCENARIOS = (
    "copied_pages",
    "eight_workers",
    "fork_cost",
    "first_pass",
    "block_cost",
    "outside",
)
_RESULTS = harness.CHECKOUT / "bench" / "results"


def main() -> int:
    """Runs the scenarios one after another.

    Returns:
        0 when every bound holds, 1 when one is broken or a scenario failed.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data, few rounds")
    parser.add_argument("--results", type=Path, metavar="DIR", help="where the JSON goes")
    parser.add_argument("--only", nargs="+", choices=sorted(SCENARIOS), help="these scenarios")
    arguments = parser.parse_args()
    version = ".".join(platform.python_version_tuple()[:2])
    with tempfile.TemporaryDirectory() as scratch:
        kept = arguments.results or (Path(scratch) if arguments.quick else _RESULTS)
        runs = [
            _run(name, kept / f"{name}-{version}.json", arguments.quick)
            for name in SCENARIOS
            if not arguments.only or name in arguments.only
        ]
    summary = _sum_up(runs)
    harness.show(summary)
    failed = [run["scenario"] for run in runs if run["failed"]]
    if failed:
        print(f"failed, without figures: {', '.join(failed)}")
    return 1 if failed or any(not bound["ok"] for run in runs for bound in run["bounds"]) else 0


def _run(name: str, path: Path, quick: bool) -> dict[str, Any]:
    """Runs one scenario and returns its JSON, with ``failed`` and ``seconds`` added."""
    path.unlink(missing_ok=True)
    command = [sys.executable, "-m", f"bench.{name}", "--json", str(path)]
    start = time.perf_counter()
    subprocess.run(command + ["--quick"] * quick, cwd=harness.CHECKOUT, check=False)
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"bounds": []}
    added = {"scenario": name, "failed": not path.exists(), "seconds": time.perf_counter() - start}
    return {**content, **added}


def _sum_up(runs: list[dict[str, Any]]) -> harness.Result:
    """One line a bound; bounds that hold for every data set are one line, with the worst."""
    result = harness.Result("Bounds", ["scenario", "bound", "measured", "at most", ""])
    for run in runs:
        groups: dict[str, list[dict[str, Any]]] = {}
        for bound in run["bounds"]:
            kind = bound["what"].rpartition(": ")[2]
            groups.setdefault(kind, []).append(bound)
        for kind, bounds in groups.items():
            worst = max(bounds, key=lambda bound: bound["measured"])
            broken = sum(not bound["ok"] for bound in bounds)
            what = f"{kind}, worst of {len(bounds)}" if len(bounds) > 1 else kind
            state = f"BROKEN ({broken})" if broken else "ok"
            result.rows.append((run["scenario"], what, worst["measured"], worst["limit"], state))
        if not groups:
            result.rows.append((run["scenario"], "no bound checked", None, None, ""))
    total = sum(run["seconds"] for run in runs)
    result.notes.append(f"{total:.0f} seconds in all")
    return result


if __name__ == "__main__":
    sys.exit(main())
