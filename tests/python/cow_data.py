"""The data that copy-on-write programs change, and how it is compared with a model."""

from __future__ import annotations

import array
import collections
import zlib
from typing import Any


class Node:
    """An instance with a ``__dict__``; ``other`` often closes a cycle."""

    FIELDS = ("number", "text", "items", "other", "extra")

    def __init__(self, number: int) -> None:
        self.number = number + 1000
        self.text = f"node-{number}"
        self.items = [f"item-{number}-{part}" for part in range(4)]
        self.other: Any = None


class OtherNode(Node):
    """A class that an instance of Node can be given."""


class SlotNode:
    """A slotted instance."""

    FIELDS = __slots__ = ("__weakref__", "items", "number", "text")

    def __init__(self, number: int) -> None:
        self.number = number + 2000
        self.text = f"slot-{number}"
        self.items = {f"key-{part}": part + 3000 for part in range(4)}


Pair = collections.namedtuple("Pair", "left right")


def build() -> dict[str, Any]:
    """Every kind of container, nested, with shared parts and cycles. The same at each call."""
    nodes = [Node(number) for number in range(12)]
    for node, after in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.other = after
    texts = [f"text-{number}" for number in range(150)]
    return {
        "records": [
            {"id": n + 1000, "tags": [f"t{n}", "größe"], "at": {"x": n / 7}} for n in range(16)
        ],
        "nodes": nodes,
        "slots": [SlotNode(number) for number in range(8)],
        "texts": texts,
        "by_text": {text: [text, len(text) + 900] for text in texts[:30]},
        "by_number": {number * 1001: f"v{number}" for number in range(100)},
        "sets": [set(texts[:5]), set(texts), {number + 1000 for number in range(50)}],
        "fixed": (
            frozenset(texts[:50]),
            Pair([1001, 1002], {"a": texts[0]}),
            (1.5, b"bytes", 10**40),
        ),
        "deque": collections.deque([[text] for text in texts[:150]]),
        "ordered": collections.OrderedDict((text, {"n": text}) for text in texts[:20]),
        "default": collections.defaultdict(list, {text: [text] for text in texts[:10]}),
        "counter": collections.Counter({text: len(text) + 1000 for text in texts[:20]}),
        "raw": bytearray(range(256)) * 4,
        "large_raw": bytearray(range(256)) * 8192,
        "array": array.array("l", range(500)),
        "empty": [[], {}, set(), bytearray(), collections.deque()],
    }


def fields(obj: Any) -> list[Any]:
    return [
        getattr(obj, name) for name in type(obj).FIELDS if name[0] != "_" and hasattr(obj, name)
    ]


def parts(obj: Any) -> list[Any] | None:
    """What a container holds, in an order that model and frozen data share; None for a leaf."""
    if isinstance(obj, dict):
        return list(obj.values())
    if isinstance(obj, (list, tuple, collections.deque)):
        return list(obj)
    if isinstance(obj, (Node, SlotNode)):
        return fields(obj)
    return [] if isinstance(obj, (set, bytearray, array.array)) else None


def canonical(obj: Any, seen: dict[int, int] | None = None) -> Any:
    """Plain lists and texts that are equal for equal data, shared parts and cycles included."""
    seen = {} if seen is None else seen
    if type(obj) in (str, int, bytes, type(None)):
        return obj
    if isinstance(obj, (float, bool)):
        return f"{type(obj).__name__}:{obj!r}"
    if isinstance(obj, (frozenset, tuple)) and not isinstance(obj, Pair) and not parts(obj):
        return f"{type(obj).__name__}:{sorted(map(repr, obj))}"
    if id(obj) in seen:
        return f"seen:{seen[id(obj)]}"
    seen[id(obj)] = len(seen)
    name = type(obj).__name__
    if isinstance(obj, (set, frozenset)):
        return [name, *sorted(map(repr, obj))]
    if isinstance(obj, (bytearray, array.array)):
        return [name, len(obj), zlib.crc32(obj[:])]  # of a copy: looking at a buffer counts exports
    if isinstance(obj, dict):
        return [
            name,
            [canonical(key, seen) for key in obj],
            [canonical(v, seen) for v in obj.values()],
        ]
    if isinstance(obj, (Node, SlotNode)):
        return [name, *(canonical(part, seen) for part in fields(obj))]
    return [name, *(canonical(part, seen) for part in obj)]
