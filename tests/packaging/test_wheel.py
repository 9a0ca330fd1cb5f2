"""What the wheel and the source distribution hold, and what importing the package drags in."""

import email.message
import email.parser
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import machinery
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "frozen_arena"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel that `make` built and installed into this virtual environment (.ci/lib.sh)."""
    (path,) = (ROOT / "build" / Path(sys.prefix).name / "dist").glob("frozen_arena-*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.BytesParser().parsebytes(archive.read(name))


def test_the_wheel_holds_the_package_the_module_and_nothing_else(names: set[str]) -> None:
    sources = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".pyi"} or path.name == "py.typed"
    }
    module = f"frozen_arena/_core{machinery.EXTENSION_SUFFIXES[0]}"
    own = {name for name in names if ".dist-info/" not in name}
    assert {"frozen_arena/__init__.py", "frozen_arena/_core.pyi", "frozen_arena/py.typed"} <= own
    beside = {path.name for path in (ROOT / "python" / "start_up").iterdir()} - {"__pycache__"}
    assert own == sources | {module} | beside


def test_the_wheel_is_for_this_interpreter_on_linux(wheel: Path) -> None:
    flags = sys.abiflags.replace("d", "") if sys.abiflags == "d" else sys.abiflags
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert re.fullmatch(
        rf"frozen_arena-{re.escape(PROJECT['version'])}-{tag}-{tag}{flags}d?-\w*linux\w+\.whl",
        wheel.name,
    )


def test_the_metadata_says_what_pyproject_says(
    metadata: email.message.Message, names: set[str]
) -> None:
    assert metadata["Name"] == "frozen-arena"
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    required = {line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert required == set(PROJECT["dependencies"])
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


def test_the_command_and_the_module_start_the_same_program() -> None:
    command = Path(sys.prefix) / "bin" / "frozen-arena"
    by_command = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    by_module = subprocess.run(
        [sys.executable, "-m", "frozen_arena", "--help"], capture_output=True, text=True, check=True
    )
    assert "doctor" in by_command.stdout
    assert by_module.stdout.splitlines()[1:] == by_command.stdout.splitlines()[1:]


def test_importing_the_package_needs_none_of_its_dependencies() -> None:
    """They serve the command line. In a worker they would be time and memory for nothing."""
    program = (
        "import sys, frozen_arena; print({'click', 'psutil', 'rich', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_public_names_are_sorted_and_exist() -> None:
    import frozen_arena

    assert list(frozen_arena.__all__) == sorted(frozen_arena.__all__)
    assert [name for name in frozen_arena.__all__ if not hasattr(frozen_arena, name)] == []


def test_the_source_distribution_holds_what_a_build_needs(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom scikit_build_core.build import build_sdist\nbuild_sdist(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("frozen_arena-*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"CMakeLists.txt", "LICENSE", "README.md", "pyproject.toml", "python/exports.map"}
    for layer in ("arena", "allocator", "python"):
        needed.add(f"{layer}/CMakeLists.txt")
        needed |= {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / layer).rglob("*")
            if path.suffix in {".cc", ".h", ".py", ".pyi"}
        }
    assert needed - held == set()
    assert [
        name for name in held if name.startswith(("build/", ".venv/", ".ci/", "bench/results"))
    ] == []
