"""The light full pass over a data set, and a mix of data sets of any size.

The pass is one ordinary loop that touches every object once.

`read_everything` of readers.py is heavy on purpose; here the loop itself is lean, so that what the
memory costs (page faults, copies, translation misses) is a visible part of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.datasets import DATASETS, Customer, Dataset, Point
from bench.readers import walk

MIX = (
    "json_records",
    "tuple_rows",
    "instances",
    "slotted_instances",
    "str_dict_1m",
    "set_graph",
    "long_texts",
    "big_numbers",
)


def build_mix(mib: float) -> dict[str, Any]:
    """Builds the data sets of `MIX`, each by the same factor, `mib` MiB in all on a stock Python.

    Returns:
        The roots by name; no roots when `mib` is 0.
    """
    scale = mib / sum(DATASETS[name].mib for name in MIX)
    return {name: DATASETS[name].build(scale) for name in MIX if mib}


def scan_mix(roots: dict[str, Any]) -> int:
    """Visits every object of a mix once; see `scan`."""
    return sum(scan(DATASETS[name], root) for name, root in roots.items())


def scan(dataset: Dataset, root: Any) -> int:
    """Visits every object of `root`, built from `dataset`, once.

    Returns:
        How many values were met.
    """
    loop = _SCANS.get(dataset.name)
    return loop(root) if loop else sum(1 for _ in walk(root, dataset.depth))


def _scan_records(root: list[dict[str, Any]]) -> int:
    count = 0
    for record in root:
        for value in record.values():
            if type(value) is list:
                for item in value:
                    if type(item) is dict:
                        for _ in item.values():
                            count += 1
                    count += 1
            elif type(value) is dict:
                for inner in value.values():
                    if type(inner) is dict:
                        for _ in inner.values():
                            count += 1
                    count += 1
            count += 1
    return count


def _scan_rows(root: list[tuple[Any, ...]]) -> int:
    count = 0
    for row in root:
        for _ in row:
            count += 1
    return count


def _scan_instances(root: list[Customer]) -> int:
    count = 0
    for item in root:
        if item.number >= 0 and item.balance >= 0:
            count += len(item.name) + len(item.email)
        for _ in item.tags:
            count += 1
    return count


def _scan_points(root: list[Point]) -> int:
    count = 0
    for item in root:
        if item.x >= 0 and item.y >= 0 and item.z >= 0:
            count += len(item.name)
    return count


def _scan_mapping(root: dict[Any, Any]) -> int:
    count = 0
    for _key, _value in root.items():
        count += 1
    return count


def _scan_texts(root: list[Any]) -> int:
    count = 0
    for text in root:
        count += text.count(text[0])
    return count


_SCANS: dict[str, Callable[[Any], int]] = {
    "json_records": _scan_records,
    "tuple_rows": _scan_rows,
    "instances": _scan_instances,
    "slotted_instances": _scan_points,
    "str_dict_1m": _scan_mapping,
    "int_dict_1m": _scan_mapping,
    "long_texts": _scan_texts,
    "non_ascii_texts": _scan_texts,
    "byte_strings": _scan_texts,
}
