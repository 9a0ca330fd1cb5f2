"""The light full pass over a data set, and a mix of data sets of any size.

The pass is one ordinary loop that touches every object once.

`read_everything` of readers.py is heavy on purpose; here nothing is done with what is met, so that
the time is what the memory costs (page faults, copies, translation misses) and the bare loop.
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


def scan_mix(roots: dict[str, Any]) -> None:
    """Visits every object of a mix once."""
    for name, root in roots.items():
        SCANS[name](root)


def _scan_records(root: list[dict[str, Any]]) -> None:
    for record in root:
        for value in record.values():
            if type(value) is list:
                for item in value:
                    if type(item) is dict:
                        for _ in item.values():
                            pass
            elif type(value) is dict:
                for inner in value.values():
                    if type(inner) is dict:
                        for _ in inner.values():
                            pass


def _scan_rows(root: Iterable[tuple[Any, ...]]) -> None:
    for row in root:
        for _ in row:
            pass


def _scan_instances(root: list[Customer]) -> None:
    for item in root:
        item.number, item.balance, item.name, item.email  # noqa: B018 - reading is the point
        for _ in item.tags:
            pass


def _scan_points(root: list[Point]) -> None:
    for item in root:
        item.x, item.y, item.z, item.name  # noqa: B018


def _scan_mapping(root: dict[Any, Any]) -> None:
    for _key, _value in root.items():
        pass


def _scan_texts(root: list[Any]) -> None:
    for text in root:
        text.count(text[0])


def _scan_orders(root: list[Order]) -> None:
    for item in root:
        item.key.int, item.placed, item.due, item.patience, item.total  # noqa: B018
        item.status, item.note  # noqa: B018


def _scan_quotes(root: dict[str, list[Quote]]) -> None:
    for quotes in root.values():
        _scan_rows(quotes)


def _scan_trie(root: TrieNode) -> None:
    nodes = [root]
    while nodes:
        node = nodes.pop()
        node.words  # noqa: B018
        nodes += node.children.values()


def _scan_graph(root: list[list[GraphNode]]) -> None:
    for community in root:
        for node in community:
            for _ in node.neighbours:
                pass
            for _ in node.labels:
                pass
            node.name  # noqa: B018


def _scan_collections(root: list[Any]) -> None:
    for item in root:
        for value in item.values() if isinstance(item, dict) else item:
            if type(value) is list:
                for _ in value:
                    pass


def _scan_numbers(root: dict[str, list[Any]]) -> None:
    for numbers in root.values():
        for _ in numbers:
            pass


def _scan_arrays(root: dict[str, Any]) -> None:
    for _ in root["names"]:
        pass
    _scan_rows(root["pairs"])
    root["numbers"].argmax()


def _scan_frame(root: Any) -> None:
    for column in ("name", "tag"):
        for _ in root[column].to_numpy():
            pass
    root["value"].to_numpy().argmax()


SCANS: dict[str, Callable[[Any], None]] = {
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
"""The light full pass over each data set."""
