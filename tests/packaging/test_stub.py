"""_core.pyi says exactly what the module has: names, parameters and their kinds, both ways."""

import re
import subprocess
import sys
from pathlib import Path


def stubtest(*modules: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--concise", *modules],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_the_stub_matches_the_module(tmp_path: Path) -> None:
    done = stubtest("frozen_arena._core", cwd=tmp_path)
    # Classes made by pybind11 have its metaclass, which has no name that a stub could import.
    metaclass = re.compile(r"frozen_arena\._core\.\w+ is inconsistent, metaclass differs")
    differences = [line for line in done.stdout.splitlines() if not metaclass.fullmatch(line)]
    assert differences == []
    assert done.stderr == ""
    assert done.returncode in {0, 1}


def test_an_installed_package_is_typed(tmp_path: Path) -> None:
    """A user's checker reads the types: py.typed is where it looks for it."""
    user = tmp_path / "user.py"
    user.write_text("import frozen_arena\n\nreveal_type(frozen_arena.arenas())\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(user)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Any" not in done.stdout
