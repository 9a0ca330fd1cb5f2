"""Runs every scenario for this interpreter, or those that are named, and sums up all bounds.

Figures go to ``bench/results/SCENARIO-X.Y.json``, or with ``--quick`` nowhere unless ``--results``
says so. Options of one scenario are given to it alone: ``python -m bench.SCENARIO --help``.
``python -m bench compare A B`` compares two results.
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

from bench import SCENARIOS, bounds, compare, harness

TOOLS = ("bounds", "loops", "model", "page", "pictures", "write_matrix_page")
"""What else in this folder is a program."""


def main() -> int:
    """Runs the scenarios one after another.

    Returns:
        0 when no bound is broken and no scenario failed, else 1.
    """
    if sys.argv[1:2] == ["compare"]:
        return compare.main(sys.argv[2:])
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
    harness.show(bounds.sum_up(runs))
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


if __name__ == "__main__":
    sys.exit(main())
