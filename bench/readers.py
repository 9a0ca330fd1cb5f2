"""What a reading worker does to the data, and nothing that changes it.

`read_everything` walks all of a data set and, on every object, does what programs do with data they
only read: iterate, hash, look up, compare, format, sort a copy; then it serialises the data with
json and with pickle (the C pickler, protocol 5) chunk by chunk, so that the output stays small
beside the data, and runs a full collection.
"""

from __future__ import annotations

import copy
import gc
import json
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain, islice
from typing import Any
from uuid import UUID

from bench.datasets import Dataset, TrieNode

_PART = 4096  # items of a large container that are sorted or compared at once
_TRIE_CUT = 9  # letters after which a prefix tree is cut into chunks; at 7 one chunk took 14 MB
_CHUNK = 256  # items of the root that are serialised at once
_LEAVES = (str, bytes, int, float, complex, type(None), date, timedelta, Decimal, UUID, Enum)
_PICKLE_PROTOCOL = 5


def read_everything(root: Any, dataset: Dataset) -> int:
    """Reads `root` in every way a worker would, and collects garbage.

    Returns:
        The number of objects that were visited.
    """
    visited = 0
    for item in walk(root, dataset.depth):
        read_one(item)
        visited += 1
    for chunk in chunks(root):
        json.dumps(chunk, default=_plain, skipkeys=True)
        pickle.dumps(chunk, protocol=_PICKLE_PROTOCOL)
    gc.collect()
    return visited


def walk(root: Any, depth: int) -> Iterator[Any]:
    """Yields `root` and everything in it, container before content, `depth` levels deep.

    Objects that are reached twice are yielded twice; nothing is remembered, so that the walk needs
    no memory of the size of the data.
    """
    yield root
    stack = [iter(children(root))]
    while stack:
        for item in stack[-1]:
            yield item
            if len(stack) < depth and not isinstance(item, _LEAVES):
                stack.append(iter(children(item)))
                break
        else:
            stack.pop()


def children(item: Any) -> Iterable[Any]:
    """What `item` holds: keys and values, items, attributes, array elements."""
    if isinstance(item, Mapping):
        return chain.from_iterable(item.items())
    if isinstance(item, (list, tuple, set, frozenset, deque)):
        return item
    if _is_numpy(item):
        return item.flat if item.dtype == object else ()
    if _is_pandas(item):
        return (item[column].to_numpy() for column in item.columns)
    if isinstance(item, _LEAVES):
        return ()
    return (value for _, value in attributes(item))


def attributes(item: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of the attributes of an instance, slots first."""
    for name in getattr(type(item), "__slots__", ()):
        yield name, getattr(item, name)
    yield from getattr(item, "__dict__", {}).items()


def _loaded(module: str, name: str) -> Any:
    """The type `name` of `module`, or an empty tuple (for isinstance) when nobody imported it."""
    return getattr(sys.modules.get(module), name, ())


def _is_numpy(item: Any) -> bool:
    return isinstance(item, _loaded("numpy", "ndarray"))


def _is_pandas(item: Any) -> bool:
    return isinstance(item, _loaded("pandas", "DataFrame"))


def read_one(item: Any) -> None:
    """Does to one object what reading programs do to an object of its type."""
    reader = _READERS.get(type(item))
    if reader is None:
        reader = _READERS[type(item)] = _reader_of(item)
    reader(item)


def _reader_of(item: Any) -> Callable[[Any], None]:
    for base, reader in tuple(_READERS.items()):
        if isinstance(item, base):
            return reader
    if _is_numpy(item):
        return _read_array
    if _is_pandas(item):
        return _read_frame
    return _read_instance


def _parts(items: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while part := list(islice(source, _PART)):
        yield part


def _sort_copy(part: list[Any]) -> None:
    try:
        sorted(part)
    except TypeError:  # types that have no order
        sorted(part, key=id)


def _read_str(item: str) -> None:
    hash(item)
    item < "m"  # noqa: B015 - the comparison is the point
    item.find("zz")
    item.encode()
    f"{item:.16}"


def _read_bytes(item: bytes) -> None:
    hash(item)
    item < b"m"  # noqa: B015
    item[:8].hex()
    b"%.8b" % item


def _read_number(item: Any) -> None:
    hash(item)
    item == 1  # noqa: B015
    item + 1
    f"{item}"


def _read_moment(item: Any) -> None:
    hash(item)
    item == item.replace(day=1)  # noqa: B015
    item.isoformat()
    f"{item:%Y-%m-%d}"


def _read_duration(item: timedelta) -> None:
    hash(item)
    item < timedelta(1)  # noqa: B015
    f"{item + item}"


def _read_value(item: Any) -> None:
    hash(item)
    item == item  # noqa: B015
    f"{item}"


def _read_sequence(items: Any) -> None:
    for part in _parts(items):
        _sort_copy(part)
        part[0] in part  # noqa: B015
    if len(items) <= _PART:
        items == copy.copy(items)  # noqa: B015
    if isinstance(items, tuple):
        _hash_if_possible(items)


def _read_mapping(items: Mapping[Any, Any]) -> None:
    for key in items:
        items[key]
    items.get("absent")
    for part in _parts(items):
        _sort_copy(part)
    if len(items) <= _PART:
        items == dict(items)  # noqa: B015


def _read_set(items: AbstractSet[Any]) -> None:
    for item in items:
        item in items  # noqa: B015
    items == items | items  # noqa: B015
    _sort_copy(list(items))
    _hash_if_possible(items)


def _read_instance(item: Any) -> None:
    _hash_if_possible(item)
    item == item  # noqa: B015
    isinstance(item, Mapping)
    for name, _ in attributes(item):
        getattr(item, name)
    f"{item!r:.40}"


def _read_array(items: Any) -> None:
    if items.dtype != object:
        items.sum()
    for start in range(0, len(items), _PART):
        part = items[start : start + _PART]
        part.tolist()
        part.copy().sort()
        (part == part.copy()).any()


def _read_frame(frame: Any) -> None:
    for start in range(0, len(frame), _PART):
        part = frame.iloc[start : start + _PART]
        for column in part.columns:
            series = part[column]
            series.isna().any()
            series.map(hash).max()
        part.sort_values(frame.columns[0])
        part.to_dict("records")


def _hash_if_possible(item: Any) -> None:
    try:
        hash(item)
    except TypeError:  # holds something that can be changed
        return


_READERS: dict[type, Callable[[Any], None]] = {
    str: _read_str,
    bytes: _read_bytes,
    bool: _read_number,
    int: _read_number,
    float: _read_number,
    complex: _read_number,
    datetime: _read_moment,
    date: _read_moment,
    timedelta: _read_duration,
    Decimal: _read_number,
    UUID: _read_value,
    Enum: _read_value,
    type(None): _read_value,
    list: _read_sequence,
    tuple: _read_sequence,
    deque: _read_sequence,
    dict: _read_mapping,
    set: _read_set,
    frozenset: _read_set,
}


def chunks(root: Any) -> Iterator[Any]:
    """Cuts the data into pieces that are small beside it, each of a type like the root's."""
    if isinstance(root, list):
        yield from (root[start : start + _CHUNK] for start in range(0, len(root), _CHUNK))
    elif isinstance(root, Mapping):
        yield from _mapping_chunks(root)
    elif isinstance(root, TrieNode):
        yield from _subtrees(root, _TRIE_CUT)
    elif _is_numpy(root):
        yield from (root[start : start + _PART] for start in range(0, len(root), _PART))
    elif _is_pandas(root):
        yield from (root.iloc[start : start + _PART] for start in range(0, len(root), _PART))
    else:
        yield root


def _mapping_chunks(root: Mapping[Any, Any]) -> Iterator[Any]:
    small: dict[Any, Any] = {}
    for key, value in root.items():
        if not isinstance(value, _LEAVES) and len(value) > _CHUNK:
            yield from chunks(value)
        else:
            small[key] = value
        if len(small) >= _CHUNK:
            yield small
            small = {}
    yield small


def _subtrees(node: TrieNode, depth: int) -> Iterator[TrieNode]:
    if depth == 0:
        yield node
        return
    for child in node.children.values():
        yield from _subtrees(child, depth - 1)


def _plain(item: Any) -> Any:
    """A form of `item` that json can write; instances become text so that cycles end there."""
    if isinstance(item, (set, frozenset, deque)):
        return [str(member) for member in item]
    if isinstance(item, bytes):
        return item[:16].hex()
    if _is_numpy(item):
        return item.tolist()
    if _is_pandas(item):
        return item.to_dict("list")
    return str(item)
