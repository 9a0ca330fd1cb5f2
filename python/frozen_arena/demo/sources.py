"""Which Python files the demo reads: the standard library and site-packages, or a folder.

The choice is the same in every process that asks with the same arguments: the three ways must
index the same files.
"""

from __future__ import annotations

import os
import random
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The demo may take 90 seconds on two slow cores and aims at half of that: three builds, each of up
# to two seconds for a MB.
BYTE_BUDGET: Final = 5_000_000

_SEED: Final = 20
_NEVER: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_TEST_SUITES: Final = frozenset({"test", "tests", "testing", "idle_test"})


class SourceError(ValueError):
    """The folder given as source cannot be indexed; the message says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to index: where it is, and the name under which the index shows it."""

    path: Path
    name: str
    size: int
    """Bytes on disk."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The files to index, by name, and how many there were to choose from."""

    files: tuple[Source, ...]
    found_files: int
    found_bytes: int

    @property
    def nbytes(self) -> int:
        """Bytes on disk of the chosen files."""
        return sum(source.size for source in self.files)


def select_sources(folder: Path | None = None, byte_budget: int = BYTE_BUDGET) -> Selection:
    """Chooses files of `folder`, or of the running interpreter's libraries, up to a budget.

    Where there is more than the budget allows, the files are an even sample of all of them. Test
    suites of the interpreter's libraries are left out: they repeat themselves.

    Args:
        folder: A folder with Python files in it or below it. None takes the standard library and
            site-packages.
        byte_budget: At most so many bytes of source.

    Raises:
        SourceError: `folder` is missing, is no folder, or holds no Python file within the budget.
    """
    if folder is None:
        found = list(_library_sources())
        where = "the running interpreter's standard library"
    else:
        if not folder.exists():
            raise SourceError(f"{folder} does not exist")
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a directory")
        found = list(_walk(folder, prefix="", skip=_NEVER))
        where = str(folder)
    if not found:
        raise SourceError(f"there are no Python files in {where}")
    chosen = _sample(found, byte_budget)
    if not chosen:
        raise SourceError(
            f"every Python file in {where} is empty or larger than {byte_budget:,} bytes"
        )
    return Selection(
        files=tuple(chosen),
        found_files=len(found),
        found_bytes=sum(source.size for source in found),
    )


def read_source(path: Path) -> str:
    """The text of a file in the encoding that it declares, its lines ended by line feeds only.

    Raises:
        OSError: The file cannot be read.
        SyntaxError: Its encoding is not known, or not what its first lines say.
        UnicodeDecodeError: It is not in the encoding that it declares.
    """
    with tokenize.open(path) as file:
        return file.read()


def _library_sources() -> Iterator[Source]:
    folders: dict[Path, str] = {}
    for key, prefix in (("stdlib", ""), ("purelib", "site-packages/"), ("platlib", "platlib/")):
        folder = sysconfig.get_path(key)
        if folder:
            folders.setdefault(Path(folder).resolve(), prefix)
    for folder_path, prefix in folders.items():
        yield from _walk(folder_path, prefix, skip=_NEVER | _TEST_SUITES)


def _walk(folder: Path, prefix: str, skip: frozenset[str]) -> Iterator[Source]:
    """Python files in `folder` and below, sorted by name; hidden folders are left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in skip and name[0] != ".")
        for name in sorted(names):
            path = Path(parent, name)
            if not name.endswith(".py") or not path.is_file():
                continue
            shown = prefix + path.relative_to(folder).as_posix()
            yield Source(path=path, name=shown, size=path.stat().st_size)


def _sample(found: list[Source], byte_budget: int) -> list[Source]:
    """Files in random, repeatable order until the budget is used up, returned by name."""
    shuffled = sorted(found, key=lambda source: source.name)
    random.Random(_SEED).shuffle(shuffled)
    chosen = []
    left = byte_budget
    for source in shuffled:
        if 0 < source.size <= left:
            chosen.append(source)
            left -= source.size
    return sorted(chosen, key=lambda source: source.name)
