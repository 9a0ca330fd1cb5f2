"""Start-up: instructions of an interpreter that starts and ends, with the package installed.

Two virtual environments that differ in nothing but the package: counted with PYTHONFROZENARENA
unset, set to 0 and set to 1. In further ones the package's start-up file is replaced by less, down
to one that does nothing, which shows how low it can go: what is left is what CPython's `site` takes
to read a start-up file at all. Instructions do not depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bench import harness

MODULE = "bench.start_up"
_MAX_RATIO = 1.02
_FILES = ("_frozen_arena_start_up.py", "frozen_arena.pth", "frozen_arena.start")
_INSTEAD = {"a comment": "# nothing\n", "import os": "import os\n"}


def count_instructions(python: Path, value: str | None) -> int:
    """Of a process of `python` that does nothing.

    Args:
        value: of the variable; None: unset.

    Raises:
        RuntimeError: valgrind failed.
    """
    variables = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}
    if value is not None:
        variables["PYTHONFROZENARENA"] = value
    ended = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", python, "-c", "pass"],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", ended.stderr)
    if ended.returncode != 0 or not found:
        message = f"valgrind ended with status {ended.returncode}: {ended.stderr[-2000:]}"
        raise RuntimeError(message)
    return int(found[1])


def _environment(folder: Path, installed: bool, line: str | None = None) -> Path:
    """A virtual environment with or without the package; its interpreter.

    Args:
        line: what its start-up file holds instead.
    """
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "lib" / version / "site-packages"
    if installed:
        ours = Path(sysconfig.get_path("platlib"))
        (site / "frozen_arena").symlink_to(ours / "frozen_arena")
        for name in _FILES:
            shutil.copy(ours / name, site)
        if line is not None:
            (site / "frozen_arena.start").unlink()
            (site / "frozen_arena.pth").write_text(line)
    python = folder / "bin" / "python"
    subprocess.run([python, "-c", "pass"], check=True)  # compiles what start-up imports
    return python


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Counts a start in each environment."""
    result = harness.Result("Start-up of an interpreter", ["package", "million", "x without"])
    obstacles = [
        harness.no_package(),
        (shutil.which("valgrind") is None, "valgrind is not installed"),
        (sys.prefix == sys.base_prefix, "the package must be installed in a virtual environment"),
    ]
    counted: dict[str, int] = {}
    if not any(there for there, _ in obstacles):
        with tempfile.TemporaryDirectory() as folder:
            without = _environment(Path(folder) / "without", installed=False)
            installed = _environment(Path(folder) / "with", installed=True)
            counted["not installed"] = count_instructions(without, None)
            counted["again"] = count_instructions(without, None)
            counted["unset"] = count_instructions(installed, None)
            counted["0"] = count_instructions(installed, "0")
            counted["1"] = count_instructions(installed, "1")
            if not arguments.quick:
                for number, (name, line) in enumerate(_INSTEAD.items()):
                    python = _environment(Path(folder) / str(number), True, line)
                    counted[f"start-up file: {name}"] = count_instructions(python, None)
    base = counted.get("not installed", 1)
    for name, figure in counted.items():
        result.rows.append((name, figure / 1e6, f"{figure / base:.4f}"))
        result.data.append({"package": name, "instructions": figure, "ratio": figure / base})
    result.bounds.append(
        harness.bound(
            "instructions of a start with the variable unset, x without the package",
            counted["unset"] / base if counted else None,
            _MAX_RATIO,
            *obstacles,
        )
    )
    return result


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure), __doc__))
