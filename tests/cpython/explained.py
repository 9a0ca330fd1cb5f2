"""The differences that are known and stay, from `explained.toml`, and their page in the docs."""

from __future__ import annotations

import fnmatch
import sys
import sysconfig
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cpython.outcomes import Difference

TABLE = Path(__file__).with_name("explained.toml")
PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cpython-test-suite.md"
IS_DEBUG_BUILD = bool(sysconfig.get_config_var("Py_DEBUG"))
BEGIN, END = "<!-- from tests/cpython/explained.toml -->", "<!-- end -->"
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")


@dataclass(frozen=True)
class Row:
    """One reason why cases differ; what may be absent in the file has a default."""

    cases: tuple[str, ...]  # patterns of fnmatch
    object: str
    reason: str
    noticed: str
    modes: tuple[str, ...]
    versions: tuple[str, ...] = VERSIONS
    builds: tuple[str, ...] = ("release", "debug")

    @property
    def is_of_this_interpreter(self) -> bool:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return version in self.versions and ("release", "debug")[IS_DEBUG_BUILD] in self.builds

    def explains(self, difference: Difference) -> bool:
        return (
            self.is_of_this_interpreter
            and difference.mode in self.modes
            and any(fnmatch.fnmatchcase(difference.case, pattern) for pattern in self.cases)
        )


def rows() -> list[Row]:
    read = tomllib.loads(TABLE.read_text(encoding="utf-8")).get("row", [])
    return [
        Row(
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in row.items()
            }
        )
        for row in read
    ]


def explanation(difference: Difference, table: Sequence[Row]) -> Row | None:
    return next((row for row in table if row.explains(difference)), None)


def as_table(table: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| test | mode | where | object | why it differs | could a user notice |",
        "|---|---|---|---|---|---|",
    ]
    for row in table:
        where = "all" if row.versions == VERSIONS else ", ".join(row.versions)
        if len(row.builds) == 1:
            where += f", {row.builds[0]} builds"
        cases = ", ".join(f"`{case}`" for case in row.cases)
        modes = ", ".join(row.modes)
        lines.append(
            f"| {cases} | {modes} | {where} | {row.object} | {row.reason} | {row.noticed} |"
        )
    return "\n".join(lines)


def page_with(text: str, table: Sequence[Row]) -> str:
    """The page with its table as the rows make it."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{as_table(table)}\n\n{END}{tail}"
