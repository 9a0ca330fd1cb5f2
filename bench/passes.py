"""The light full pass over a data set, and a mix of data sets of any size.

The pass is one ordinary loop that touches every object once.

`read_everything` of readers.py is heavy on purpose; here the loop itself is lean, so that what the
memory costs (page faults, copies, translation misses) is a visible part of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bench.datasets import DATASETS, Customer, GraphNode, Order, Point, Quote, TrieNode

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
    """Visits every object of a mix once; returns how many values were met."""
    return sum(SCANS[name](root) for name, root in roots.items())


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


def _scan_rows(root: Iterable[tuple[Any, ...]]) -> int:
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


def _scan_orders(root: list[Order]) -> int:
    count = 0
    for item in root:
        for _ in (item.key.int, item.placed, item.due, item.patience, item.total, item.status):
            count += 1
        count += len(item.note)
    return count


def _scan_quotes(root: dict[str, list[Quote]]) -> int:
    return sum(_scan_rows(quotes) for quotes in root.values())


def _scan_trie(root: TrieNode) -> int:
    count = 0
    nodes = [root]
    while nodes:
        node = nodes.pop()
        count += node.words
        nodes += node.children.values()
    return count


def _scan_graph(root: list[list[GraphNode]]) -> int:
    count = 0
    for community in root:
        for node in community:
            for _ in node.neighbours:
                count += 1
            for label in node.labels:
                count += len(label)
            count += len(node.name)
    return count


def _scan_collections(root: list[Any]) -> int:
    count = 0
    for item in root:
        for value in item.values() if isinstance(item, dict) else item:
            if type(value) is list:
                for _ in value:
                    count += 1
            count += 1
    return count


def _scan_numbers(root: dict[str, list[Any]]) -> int:
    return sum(1 for numbers in root.values() for number in numbers if number)


def _scan_arrays(root: dict[str, Any]) -> int:
    count = 0
    for name in root["names"]:
        count += len(name)
    return count + _scan_rows(root["pairs"]) + int(root["numbers"].argmax())


def _scan_frame(root: Any) -> int:
    count = 0
    for column in ("name", "tag"):
        for text in root[column].to_numpy():
            count += len(text)
    return count + int(root["value"].to_numpy().argmax())


SCANS: dict[str, Callable[[Any], int]] = {
    "json_records": _scan_records,
    "tuple_rows": _scan_rows,
    "instances": _scan_instances,
    "slotted_instances": _scan_points,
    "dataclasses_mixed": _scan_orders,
    "namedtuples": _scan_quotes,
    "trie": _scan_trie,
    "set_graph": _scan_graph,
    "str_dict_1m": _scan_mapping,
    "int_dict_1m": _scan_mapping,
    "long_texts": _scan_texts,
    "non_ascii_texts": _scan_texts,
    "byte_strings": _scan_texts,
    "collections_mixed": _scan_collections,
    "big_numbers": _scan_numbers,
    "numpy_objects": _scan_arrays,
    "pandas_objects": _scan_frame,
}
"""The light full pass over each data set; each returns how many values it met, more or less."""
