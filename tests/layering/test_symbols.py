"""The order of the layers, read off what was built: the memory layer's archive, the module."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def nm(*arguments: str | Path) -> list[str]:
    done = subprocess.run(["nm", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def arena_archive() -> Path:
    """libfza_arena.a of the build that belongs to this virtual environment (.ci/lib.sh)."""
    return ROOT / "build" / Path(sys.prefix).name / "cmake" / "arena" / "libfza_arena.a"


def test_the_module_shows_its_entry_point_and_nothing_else() -> None:
    from frozen_arena import _core

    defined = nm("--dynamic", "--defined-only", "--format=posix", _core.__file__)
    assert [line.split()[0] for line in defined] == ["PyInit__core"]


def test_the_module_takes_new_and_free_from_the_process() -> None:
    """mimalloc's object file defines both; with them global it would serve the whole module."""
    from frozen_arena import _core

    undefined = {
        line.split()[0].split("@")[0]
        for line in nm("--dynamic", "--undefined-only", "--format=posix", _core.__file__)
    }
    assert {"_Znwm", "_ZdlPvm", "free"} <= undefined
    assert [symbol for symbol in undefined if symbol.startswith("mi_")] == []


def test_the_memory_layer_needs_no_symbol_of_python(arena_archive: Path) -> None:
    undefined = [
        line.split()[-1] for line in nm("--undefined-only", arena_archive) if " U " in line
    ]
    assert undefined, "nm has read nothing"
    assert [symbol for symbol in undefined if re.match(r"_?Py", symbol)] == []


def test_mimalloc_in_the_archive_shows_its_functions_and_the_key_of_its_threads(
    arena_archive: Path,
) -> None:
    lines = nm("--extern-only", "--defined-only", arena_archive)
    start = next(i for i, line in enumerate(lines) if line.startswith("mimalloc-local.o:"))
    symbols = []
    for line in lines[start + 1 :]:
        if not line:
            break
        symbols.append(line.split()[-1])
    assert "mi_malloc" in symbols
    assert [symbol for symbol in symbols if not symbol.startswith("mi_")] == [
        "_mi_heap_default_key"
    ]
