"""The standard data sets: what a parent builds before it forks workers that only read.

Every data set is deterministic, has its classes at module level (so outside any block) and holds 50
to 150 MB on a stock interpreter at ``scale=1.0``. Values come from arithmetic rather than from
`random`, so that building costs what making the objects costs.
"""

from __future__ import annotations

import importlib.util
import json
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_SENTENCE = (
    "amber basalt cedar delta ember fjord granite harbor indigo juniper kelp lagoon meadow "
    "nectar onyx prairie quartz ridge saffron tundra umber valley willow xenon yarrow zephyr"
)
_WORDS = tuple(_SENTENCE.split())
_ACCENTED = (  # one byte a character, two (twice), four
    "café crème naïve über señor façade",
    "Łódź Gdańsk Kraków",
    "日本語の文章です",
    "🦀 crab 🚀",
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One standard data set.

    Attributes:
        name: The key in `DATASETS`, and what tables show.
        build: Makes the data; takes the scale, 1.0 being the full size.
        mib: Resident size at scale 1.0 on a stock CPython 3.12, in MiB (to mix data sets by size).
        options: Keywords for `frozen_arena`, as a user of such data would give them.
        needs: Distributions that must be importable.
        depth: How many levels of containers a reader descends.
    """

    name: str
    build: Callable[[float], Any]
    mib: int
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    depth: int = 24

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of `needs` are not installed."""
        return tuple(name for name in self.needs if importlib.util.find_spec(name) is None)


DATASETS: dict[str, Dataset] = {}

_Builder = Callable[[float], Any]


def _dataset(mib: int, **settings: Any) -> Callable[[_Builder], _Builder]:
    """Enters the decorated builder in `DATASETS` under its own name."""

    def enter(build: _Builder) -> _Builder:
        DATASETS[build.__name__] = Dataset(build.__name__, build, mib, **settings)
        return build

    return enter


def _count(full: int, scale: float) -> int:
    return max(8, int(full * scale))


def _phrase(number: int, words: int) -> str:
    return " ".join(_WORDS[(number * (3 + step) + step) % len(_WORDS)] for step in range(words))


class Status(Enum):
    """State of an order."""

    NEW = "new"
    PAID = "paid"
    SENT = "sent"


class Customer:
    """An ordinary instance: attributes in a ``__dict__``."""

    def __init__(self, number: int) -> None:
        """Fills every attribute from `number`."""
        self.number = number
        self.name = f"customer {number}"
        self.email = f"c{number}@example.org"
        self.balance = number * 1.25
        self.tags = [_WORDS[number % 26], _WORDS[number % 17]]


class Point:
    """An instance with slots only."""

    __slots__ = ("name", "x", "y", "z")

    def __init__(self, number: int) -> None:
        """Fills every slot from `number`."""
        self.x = number * 0.5
        self.y = number * 0.25
        self.z = number
        self.name = f"point {number}"


@dataclass
class Order:
    """A dataclass with the field types of business data."""

    key: UUID
    placed: datetime
    due: date
    patience: timedelta
    total: Decimal
    status: Status
    note: str


class Quote(NamedTuple):
    """A named tuple."""

    symbol: str
    bid: float
    ask: float
    volume: int


class TrieNode:
    """A node of a prefix tree."""

    __slots__ = ("children", "words")

    def __init__(self) -> None:
        """Starts without children."""
        self.children: dict[str, TrieNode] = {}
        self.words = 0


class GraphNode:
    """A node that knows its neighbours, so that nodes form cycles."""

    __slots__ = ("labels", "name", "neighbours")

    def __init__(self, name: str, labels: frozenset[str]) -> None:
        """Starts without neighbours."""
        self.name = name
        self.labels = labels
        self.neighbours: set[GraphNode] = set()


def _record_text(number: int) -> str:
    word = _WORDS[number % 26]
    return (
        f'{{"id": {number + 1000}, "name": "person {number}", "email": "p{number}@example.org",'
        f' "active": {"true" if number % 3 else "false"}, "score": {number * 0.37:.3f},'
        f' "manager": null, "tags": ["{word}", "{word}-{number % 999}", "t{number}"],'
        f' "address": {{"street": "{number} {word} road", "zip": "{number % 99991:05d}",'
        f' "geo": {{"lat": {number % 180 / 1.7:.4f}, "lon": {number % 360 / 1.3:.4f}}}}},'
        f' "orders": ['
        f'{{"sku": "A{number}", "quantity": {number % 700}, "price": {number % 97}.25}},'
        f' {{"sku": "B{number}", "quantity": {number % 900}, "price": {number % 89}.75}}]}}'
    )


@_dataset(mib=121)
def json_records(scale: float) -> list[dict[str, Any]]:
    """Records as nested dicts, parsed from JSON lines."""
    return [json.loads(_record_text(number)) for number in range(_count(45_000, scale))]


@_dataset(mib=107)
def tuple_rows(scale: float) -> list[tuple[Any, ...]]:
    """A list of tuples, as a database driver returns rows."""
    return [
        (number + 1000, f"row {number}", number * 0.5, number % 2 == 0, None, (number % 7, number))
        for number in range(_count(340_000, scale))
    ]


@_dataset(mib=83, options={"instance_dicts": True})
def instances(scale: float) -> list[Customer]:
    """Instances with attributes."""
    return [Customer(number) for number in range(_count(220_000, scale))]


@_dataset(mib=112)
def slotted_instances(scale: float) -> list[Point]:
    """Instances with slots."""
    return [Point(number) for number in range(_count(500_000, scale))]


@_dataset(mib=107, options={"instance_dicts": True})
def dataclasses_mixed(scale: float) -> list[Order]:
    """Dataclasses with datetime, date, timedelta, Decimal, UUID and Enum fields."""
    states = tuple(Status)
    return [
        Order(
            UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128),
            _EPOCH + timedelta(seconds=number * 61),
            date.fromordinal(737_425 + number % 3650),
            timedelta(minutes=number),
            Decimal(number) / 100,
            states[number % 3],
            f"note {number}",
        )
        for number in range(_count(200_000, scale))
    ]


@_dataset(mib=139)
def namedtuples(scale: float) -> dict[str, list[Quote]]:
    """Named tuples, in lists by symbol."""
    quotes: dict[str, list[Quote]] = {}
    for number in range(_count(600_000, scale)):
        symbol = _WORDS[number % 26] + str(number % 100)
        quote = Quote(symbol, number * 0.01, number * 0.01 + 0.05, number * 10)
        quotes.setdefault(symbol, []).append(quote)
    return quotes


@_dataset(mib=134)
def trie(scale: float) -> TrieNode:
    """A prefix tree over words."""
    root = TrieNode()
    for number in range(_count(220_000, scale)):
        node = root
        for letter in f"{_WORDS[number * 7 % 26]}{number * 2654435761 % 10**6:06d}":
            node = node.children.setdefault(letter, TrieNode())
        node.words += 1
    return root


def _community(number: int) -> list[GraphNode]:
    nodes = [
        GraphNode(
            f"node {number}.{place}", frozenset({f"label {number}", _WORDS[place], f"p{place}"})
        )
        for place in range(8)
    ]
    for place, node in enumerate(nodes):
        node.neighbours.update(nodes[(place + step) % 8] for step in (1, 2, 5, 3, 4))
    return nodes


@_dataset(mib=142, depth=4)
def set_graph(scale: float) -> list[list[GraphNode]]:
    """A graph of communities: sets of neighbours, frozensets of labels, cycles."""
    return [_community(number) for number in range(_count(15_000, scale))]


@_dataset(mib=122)
def str_dict_1m(scale: float) -> dict[str, int]:
    """A dict of one million entries with str keys."""
    return {f"key-{number}": number * 3 for number in range(_count(1_000_000, scale))}


@_dataset(mib=117)
def int_dict_1m(scale: float) -> dict[int, str]:
    """A dict of one million entries with int keys."""
    return {number * 17: f"v{number}" for number in range(_count(1_000_000, scale))}


@_dataset(mib=130)
def long_texts(scale: float) -> list[str]:
    """ASCII texts of 0.3 to 4 KB."""
    return [
        f"{number}: {_phrase(number, 8)}. " * (6 + number % 60)
        for number in range(_count(60_000, scale))
    ]


@_dataset(mib=111)
def non_ascii_texts(scale: float) -> list[str]:
    """Texts that need one, two and four bytes a character, short and long."""
    return [
        f"{_ACCENTED[number % 4]} {number} " * (1 + number % 12)
        for number in range(_count(300_000, scale))
    ]


@_dataset(mib=88)
def byte_strings(scale: float) -> list[bytes]:
    """Bytes: keys of 16 bytes and blobs of up to 4 KB."""
    return [
        (number * 0x9E3779B97F4A7C15).to_bytes(16, "little")
        * (1 if number % 4 else 1 + number % 256)
        for number in range(_count(160_000, scale))
    ]


@_dataset(mib=128)
def collections_mixed(scale: float) -> list[Any]:
    """Deques, Counters, defaultdicts and OrderedDicts."""
    out: list[Any] = []
    for number in range(_count(30_000, scale)):
        out.append(deque(range(number + 300, number + 320)))
        out.append(Counter(_phrase(number, 12)))
        grouped: defaultdict[str, list[int]] = defaultdict(list)
        for step in range(6):
            grouped[_WORDS[(number + step) % 26]].append(number * step)
        out.append(grouped)
        out.append(OrderedDict((f"k{number}.{step}", number + step) for step in range(6)))
    return out


@_dataset(mib=89)
def big_numbers(scale: float) -> dict[str, list[Any]]:
    """Ints of up to 1,000 bits, floats and complex numbers."""
    count = _count(400_000, scale)
    return {
        "ints": [3 ** (number % 640) + number for number in range(count)],
        "floats": [number / 7 for number in range(count * 2)],
        "complex": [complex(number, -number) for number in range(count)],
    }


@_dataset(mib=105, needs=("numpy",))
def numpy_objects(scale: float) -> dict[str, Any]:
    """NumPy arrays of objects beside arrays of plain numbers."""
    import numpy as np

    count = _count(500_000, scale)
    names = np.empty(count, dtype=object)
    names[:] = [f"name {number}" for number in range(count)]
    pairs = np.empty(count, dtype=object)
    pairs[:] = [(number + 500, number * 0.5) for number in range(count)]
    return {"names": names, "pairs": pairs, "numbers": np.arange(count, dtype=np.float64)}


@_dataset(mib=290, needs=("numpy", "pandas"))
def pandas_objects(scale: float) -> Any:
    """A pandas frame with object columns beside a column of numbers.

    Twice the size of the others: pandas by itself makes a child that collects grow by 15 MiB.
    """
    import numpy as np
    import pandas as pd

    count = _count(2_000_000, scale)
    names = [f"name {number}" for number in range(count)]
    tags = [f"{_WORDS[number % 26]}-{number}" for number in range(count)]
    columns = {
        "name": pd.Series(names, dtype=object),
        "tag": pd.Series(tags, dtype=object),
        "value": np.arange(count, dtype=np.float64),
    }
    return pd.DataFrame(columns, copy=False)
