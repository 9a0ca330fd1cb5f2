"""Compares two results, or all that two folders hold: ``python -m bench compare A B``.

Figures of different machines say nothing beside each other, so they are refused, as are those of
different settings. Each figure is named by what stands beside it in the result.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from bench import harness

_MACHINE = ("cpu", "cores", "memory_mib", "kernel", "thp_anonymous", "thp_shmem", "debug_build")
_LABELS = {"values", "workers", "mib", "gib", "depth", "count", "arenas", "nodes", "processes"}
_SAME = 0.01  # figures that differ by less are counted and not shown

Run = Mapping[str, Any]
Figures = dict[str, float]


class NotComparable(Exception):
    """The two results cannot stand beside each other; the message says why."""


def figures(run: Run) -> Figures:
    """Every number of a result by name; of a list of numbers the median."""
    return dict(_numbers(run["figures"], ""))


def _numbers(item: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(item, bool) or item is None:
        return
    if isinstance(item, int | float):
        yield name, float(item)
    elif isinstance(item, list) and item and all(_is_number(one) for one in item):
        yield name, float(median(item))
    elif isinstance(item, list):
        for place, one in enumerate(item):
            label = "" if isinstance(one, dict) else str(place)
            yield from _numbers(one, _joined(name, label))
    elif isinstance(item, dict):
        labels = [_label(key, value) for key, value in item.items() if _is_label(key, value)]
        below = _joined(name, *labels)
        for key, value in item.items():
            if not _is_label(key, value):
                yield from _numbers(value, _joined(below, key))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_label(key: str, value: Any) -> bool:
    return isinstance(value, str) or (key in _LABELS and _is_number(value))


def _label(key: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{value} {key}"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def check(before: Run, after: Run) -> None:
    """Raises when the two cannot be compared.

    Raises:
        NotComparable: They are of other scenarios, machines or settings.
    """
    for what, one, other in (
        ("scenarios", {"": before["scenario"]}, {"": after["scenario"]}),
        (
            "machines",
            {key: before["machine"].get(key) for key in _MACHINE},
            {key: after["machine"].get(key) for key in _MACHINE},
        ),
        ("settings", before["settings"], after["settings"]),
    ):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        if keys:
            found = "; ".join(f"{key} {one.get(key)} and {other.get(key)}".strip() for key in keys)
            message = f"results of different {what} are not compared: {found}"
            raise NotComparable(message)


def compare(before: Run, after: Run) -> harness.Result:
    """What differs between two results.

    Raises:
        NotComparable: They are of other scenarios, machines or settings.
    """
    check(before, after)
    result = harness.Result(
        f"{before['scenario']}: {_whose(before)} and {_whose(after)}",
        ["", "before", "after", "after / before"],
    )
    one, other = figures(before), figures(after)
    ratios = {
        name: other[name] / one[name]
        for name in one
        if name in other and one[name] > 0 and other[name] > 0
    }
    for name, ratio in ratios.items():
        if abs(ratio - 1) >= _SAME:
            result.rows.append((name, one[name], other[name], ratio))
    if ratios:
        same = sum(abs(ratio - 1) < _SAME for ratio in ratios.values())
        mean = geometric_mean(ratios.values())
        result.notes.append(
            f"{len(ratios)} figures, {same} of them the same within {_SAME:.0%};"
            f" geometric mean of all ratios {mean:.3f}"
        )
    for word, missing in (("before", one.keys() - other.keys()), ("after", other.keys() - one)):
        if missing:
            result.notes.append(f"only {word}: {', '.join(sorted(missing))}")
    result.notes += _changed_bounds(before, after)
    return result


def _whose(run: Run) -> str:
    machine = run["machine"]
    return f"{machine['commit']} on {machine['python']}"


def _changed_bounds(before: Run, after: Run) -> list[str]:
    """Bounds that hold in one of the two only."""
    was = {bound["what"]: bound["status"] for bound in before["bounds"]}
    return [
        f"{bound['what']}: was {was[bound['what']]}, is {bound['status']}"
        for bound in after["bounds"]
        if was.get(bound["what"], bound["status"]) != bound["status"]
    ]


def pairs(before: Path, after: Path) -> list[tuple[Run, Run]]:
    """The results of two files, or of all files that two folders both have.

    Raises:
        OSError: One is not there.
        NotComparable: The folders have no file name in common.
    """
    names: list[str] = [""]
    if before.is_dir() and after.is_dir():
        names = sorted({one.name for one in before.glob("*.json")})
        names = [name for name in names if (after / name).is_file()]
        if not names:
            message = f"no result is in both {before} and {after}"
            raise NotComparable(message)
    return [
        (json.loads((before / name).read_text()), json.loads((after / name).read_text()))
        for name in names
    ]


def main(arguments: list[str]) -> int:
    """Shows what differs.

    Returns:
        0, or 2 when there is nothing that could be compared.
    """
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("before", type=Path, help="JSON of a run, or a folder of them")
    parser.add_argument("after", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        for before, after in pairs(chosen.before, chosen.after):
            harness.show(compare(before, after))
    except (NotComparable, OSError, KeyError) as error:
        print(f"python -m bench compare: {error}", file=sys.stderr)
        return 2
    return 0
