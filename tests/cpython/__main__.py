"""Runs CPython's own test suite with frozen arena in it, and compares case by case.

Each file runs in a process of its own, in each mode (`run_file.py`), and once without us. With
``--stock when-needed`` the latter is left out for a file all of whose cases passed, or were skipped
for a reason of the machine, in the modes that were asked for.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cpython import explained, outcomes
from tests.cpython.outcomes import Difference, Outcomes

HERE = Path(__file__).parent
MODES = ("hooks", "routed", "frozen")


class Run:
    """All files in all modes, and what became of them."""

    def __init__(self, modes: list[str], always_stock: bool, limit: int) -> None:
        self.modes = modes
        self.always_stock = always_stock
        self.limit = limit
        self.table = explained.rows()
        self.counts: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.unexplained: list[Difference] = []
        self.explained: list[tuple[Difference, explained.Row]] = []
        self.suite = ElementTree.Element("testsuite", name="cpython")

    def one_file(self, file: str) -> None:
        ours = [outcomes.run(file, mode, self.limit) for mode in self.modes]
        stock = None
        if self.always_stock or not all(run.is_clean for run in ours):
            stock = outcomes.run(file, "stock", self.limit)
            self._count(stock)
        for run in ours:
            self._count(run)
            self._judge(run, outcomes.differences(stock, run) if stock else [])

    def _count(self, run: Outcomes) -> None:
        self.counts[run.mode] += len(run.cases) - 1
        self.seconds[run.mode] += round(run.seconds)

    def _judge(self, run: Outcomes, found: list[Difference]) -> None:
        case = ElementTree.SubElement(
            self.suite, "testcase", classname=f"cpython.{run.mode}", name=run.file
        )
        bad = []
        for difference in found:
            row = explained.explanation(difference, self.table)
            if row is None:
                bad.append(difference)
            else:
                self.explained.append((difference, row))
        self.unexplained += bad
        if bad:
            text = "\n".join(f"{difference}\n{difference.said}" for difference in bad)
            ElementTree.SubElement(case, "failure").text = text
        words = f"{len(run.cases) - 1} cases, {len(found)} differ, {len(bad)} unexplained"
        print(f"{run.mode:7} {run.file}: {words} ({run.seconds:.1f} s)", flush=True)
        for difference in bad:
            print(f"    {difference}", flush=True)

    def summary(self) -> str:
        lines = [f"CPython {platform.python_version()}, {sys.abiflags or 'release'}"]
        for mode, count in self.counts.items():
            lines.append(f"  {mode}: {count} cases in {self.seconds[mode]} s")
        for difference, row in self.explained:
            lines.append(f"  explained ({row.object}): {difference}")
        for difference in self.unexplained:
            lines.append(f"  NOT EXPLAINED: {difference}")
        bad = sum(case.find("failure") is not None for case in self.suite)
        lines.append(f"{len(self.suite) - bad} passed, {bad} failed")
        return "\n".join(lines)


def chosen_files(names: list[str]) -> list[str]:
    """Names as given, a list that lies here (``quick``), or all that the interpreter has."""
    if names == ["all"]:
        listed = subprocess.run(
            [sys.executable, "-m", "test", "--list-tests"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        return [name.removeprefix("test.") for name in listed]
    found = []
    for name in names:
        path = HERE / f"{name}.txt"
        found += filter(_exists, outcomes.lines(path)) if path.exists() else [name]
    return found


def _exists(name: str) -> bool:
    """Whether this version of the interpreter has the file; of those on a list some have not."""
    try:
        return importlib.util.find_spec(f"test.{name}") is not None
    except ModuleNotFoundError:
        return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cpython", description=__doc__)
    parser.add_argument("files", nargs="*", default=["quick"], help="test_x ..., quick, or all")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--stock", choices=("always", "when-needed"), default="always")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=int, default=900, metavar="SECONDS", help="for one file")
    parser.add_argument("--junit", type=Path)
    parser.add_argument("--page", action="store_true", help="only writes the table into its page")
    arguments = parser.parse_args()
    if arguments.page:
        text = explained.PAGE.read_text(encoding="utf-8")
        explained.PAGE.write_text(explained.page_with(text, explained.rows()), encoding="utf-8")
        return 0
    run = Run(arguments.modes, arguments.stock == "always", arguments.limit)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(run.one_file, chosen_files(arguments.files)))
    print(run.summary())
    if arguments.junit:
        ElementTree.ElementTree(run.suite).write(arguments.junit)
    return 1 if run.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
