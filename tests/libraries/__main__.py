"""Runs libraries' own tests with everything frozen that is alive when they are collected.

Each library's tests run once without us and once frozen, in a process each, and are compared test
by test. Tests come from the wheel where it has them, otherwise from the source distribution, which
is fetched by pip into build/. Needs the packages of the dependency group ``libraries``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLE = HERE / "libraries.toml"


def sources_of(name: str, folder: Path) -> Path:
    """The unpacked source distribution of the installed version of a package."""
    wanted = f"{name}=={version(name)}"
    target = folder / f"{name}-{version(name)}"
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            fetch = ["download", "-q", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([sys.executable, "-m", "pip", *fetch, "-d", scratch, wanted], check=True)
            (archive,) = Path(scratch).glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
            (unpacked,) = (p for p in folder.iterdir() if p.name.lower().startswith(name.lower()))
            unpacked.rename(target)
    return target


def run(library: dict[str, Any], folder: Path, frozen: bool) -> dict[str, Any]:
    """Outcome by test, and how the process ended under the name ``(the run)``."""
    cwd = sources_of(library["name"], folder) if library.get("sdist") else folder
    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch, "record")
        environment = os.environ | {
            "FROZEN_ARENA_RECORD": str(record),
            "PYTHONPATH": str(HERE),
            "PYTHONHASHSEED": "0",
            "PYTHONFROZENARENA": f"min_new={1 << 60},require=1" if frozen else "",
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "freeze_plugin",
            "-p",
            "no:cacheprovider",
        ]
        command += [*library.get("arguments", []), *library["tests"]]
        log = Path(folder, f"{library['name']}-{'frozen' if frozen else 'stock'}.log")
        with log.open("w") as out:
            ended = subprocess.run(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=3600,
                check=False,
            )
        code = ended.returncode
        outcomes: dict[str, Any] = {"(the run)": f"status {code}"}
        if code < 0:
            outcomes["(the run)"] = f"killed by {signal.Signals(-code).name}"
        objects = 0
        for line in record.read_text().splitlines() if record.exists() else []:
            told = json.loads(line)
            objects = told.get("frozen", objects)
            if "case" in told:
                outcomes[told["case"]] = told["outcome"]
        if frozen and not objects:
            outcomes["(the run)"] += ", never frozen"
        return outcomes


def main() -> int:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    names = [library["name"] for library in table["library"]]
    parser = argparse.ArgumentParser(prog="python -m tests.libraries", description=__doc__)
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=", ".join(names))
    arguments = parser.parse_args()
    folder = ROOT / "build" / "libraries" / platform.python_version()
    folder.mkdir(parents=True, exist_ok=True)
    bad = good = 0
    for library in table["library"]:
        if arguments.libraries and library["name"] not in arguments.libraries:
            continue
        stock, frozen = run(library, folder, False), run(library, folder, True)
        explained = library.get("explained", {})
        differ = [
            (case, stock.get(case, "did not run"), frozen.get(case, "did not run"))
            for case in {**stock, **frozen}
            if stock.get(case) != frozen.get(case)
        ]
        left = [one for one in differ if one[0] not in explained and one[0] != "(the run)"]
        crashed = "killed" in frozen["(the run)"] or "never" in frozen["(the run)"]
        is_bad = bool(left) or crashed or len(frozen) < 2
        bad, good = bad + is_bad, good + (not is_bad)
        words = f"{len(frozen) - 1} tests, {len(differ)} differ, {len(left)} unexplained"
        name = f"{library['name']} {version(library['name'])}"
        print(f"{name}: {words}; {frozen['(the run)']}", flush=True)
        for case, before, after in left:
            print(f"    {case}: {before} without us, {after} frozen", flush=True)
        for case, reason in explained.items():
            print(f"    explained: {case}: {reason}", flush=True)
    print(f"CPython {platform.python_version()}: {good} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
