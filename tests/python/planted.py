"""Planted writes: one byte of a known field of a known object is changed, and must be named so.

Where a field lies is worked out here from `_core.layout_of` and by hand, not by what is tested.
"""

from __future__ import annotations

import array
import collections
import ctypes
import datetime
import decimal
import sys
import threading
from typing import Any

from frozen_arena import _core, frozen_arena

WORD = 8
# Up to 3.14 a buffer of its own; then a bytes object, whose bytes begin 32 in.
BYTE_OF_BYTEARRAY = (
    ("bytearray", "bytes[96]") if sys.version_info < (3, 15) else ("bytes", "bytes[96]")
)
KEYS_HEAD = 32  # bytes of a dict's table before its index


class Record:
    __slots__ = ("__weakref__", "name", "other")


class Plain:
    """Has a dict and weak references."""


def make_data() -> dict[str, Any]:
    """Everything that is written to, made inside a block."""

    class Made:
        attribute = 1

    space: dict[str, Any] = {}
    exec("def code(items):\n    return [item.name for item in items]\n", space)
    record, plain = Record(), Plain()
    record.name, record.other = "a name", "another"
    plain.first, plain.second = 1, 2  # type: ignore[attr-defined]
    return {
        "lock": threading.Lock(),
        "record": record,
        "plain": plain,
        "class": Made,
        "code": space["code"].__code__,
        "function": space["code"],
        "list": [number * 1000 for number in range(50)],
        "tuple": tuple(str(number) for number in range(40)),
        "by name": {f"key {number}": number * 1000 for number in range(30)},
        "by number": collections.defaultdict(
            list, {number * 7: str(number) for number in range(30)}
        ),
        "set": {number * 1000 for number in range(200)},
        "small set": {"one", "two", "three"},
        "deque": collections.deque(str(number) for number in range(1000)),
        "ordered": collections.OrderedDict((f"node {number}", number) for number in range(20)),
        "decimal": decimal.Decimal("12.345"),
        "moment": datetime.datetime(2001, 2, 3, 4, 5),
        "day": datetime.date(2001, 2, 3),
        "text": "".join(["just ", "text"]),
        "cyrillic": "".join(["не ", "ASCII"]),
        "bytes": bytes(range(60)),
        "number": int("9" * 15),
        "float": float("2.75"),
        "bytearray": bytearray(range(200)),
        "array": array.array("q", range(100)),
        "dict": {1: 1},
    }


def offset_of(kind: type, name: str) -> int:
    return next(offset for named, _, offset, _ in _core.layout_of(kind) if named == name)


def place_of(thing: object, name: str) -> int:
    return id(thing) + offset_of(type(thing), name)


def word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def entry_of(table: dict[Any, Any], number: int) -> tuple[int, bool]:
    """Address of an entry of a dict, and whether it begins with a hash."""
    keys = word(place_of(table, "keys"))
    index = 1 << ctypes.c_uint8.from_address(keys + 9).value
    general = ctypes.c_uint8.from_address(keys + 10).value == 0
    return keys + KEYS_HEAD + index + number * (3 if general else 2) * WORD, general


def set_entry(things: set[Any], wanted: object) -> tuple[int, int]:
    """Address and number of the entry that holds `wanted`."""
    table = word(place_of(things, "table"))
    numbers = range(word(place_of(things, "mask")) + 1)
    found = next(number for number in numbers if word(table + number * 16) in ids(things, wanted))
    return table + found * 16, found


def ids(things: set[Any], wanted: object) -> list[int]:
    return [id(one) for one in things if one == wanted]


def node_of(ordered: collections.OrderedDict[str, int], number: int) -> int:
    node = word(place_of(ordered, "first"))
    for _ in range(number):
        node = word(node + 16)
    return node


def plain_value(plain: Plain, number: int) -> int:
    """Address of an attribute value."""
    if sys.version_info >= (3, 13):
        return id(plain) + offset_of(Plain, "values[]") + number * WORD
    if sys.version_info >= (3, 12):
        return word(id(plain) - 24) + 1 + number * WORD
    return word(id(plain) - 32) + number * WORD


def deque_item(items: collections.deque[str], number: int) -> int:
    block, slot = word(place_of(items, "left_block")), word(place_of(items, "left_index")) + number
    for _ in range(slot // 64):
        block = word(block + 65 * WORD)
    return block + (1 + slot % 64) * WORD


def plants(data: dict[str, Any]) -> list[tuple[int, str, str]]:
    """(address, type, field) of every planted write."""
    weakrefs, dict_pointer = "weakref list", "__dict__ pointer"
    by_name, general = entry_of(data["by name"], 3)
    assert not general
    by_number, general = entry_of(data["by number"], 5)
    assert general
    keys = word(place_of(data["by name"], "keys"))
    big, big_number = set_entry(data["set"], 77_000)
    small, small_number = set_entry(data["small set"], "two")
    managed = "dict_or_values" if sys.version_info[:2] == (3, 12) else "dict"
    module = Record.__module__
    return [
        (place_of(data["lock"], "count"), "_thread.lock", "reference count"),
        (place_of(data["list"], "gc_next"), "list", "gc head"),
        (place_of(data["tuple"], "gc_previous"), "tuple", "gc head"),
        (place_of(data["text"], "hash"), "str", "hash"),
        (place_of(data["cyrillic"], "utf8"), "str", "utf8"),
        (place_of(data["bytes"], "hash"), "bytes", "hash"),
        (place_of(data["bytes"], "bytes[]") + 9, "bytes", "bytes[9]"),
        (place_of(data["decimal"], "hash"), "decimal.Decimal", "hash"),
        (place_of(data["moment"], "hash"), "datetime.datetime", "hash"),
        (place_of(data["day"], "data"), "datetime.date", "data"),
        (place_of(data["plain"], managed), f"{module}.Plain", dict_pointer),
        (place_of(data["plain"], "weakrefs"), f"{module}.Plain", weakrefs),
        (plain_value(data["plain"], 1), f"{module}.Plain", "Plain.second"),
        (place_of(data["record"], "name"), f"{module}.Record", "Record.name"),
        (place_of(data["record"], "other"), f"{module}.Record", "Record.other"),
        (place_of(data["record"], "weakrefs"), f"{module}.Record", weakrefs),
        (place_of(data["list"], "size"), "list", "size"),
        (word(place_of(data["list"], "items")) + 7 * WORD, "list", "items[7]"),
        (place_of(data["tuple"], "items[]") + 11 * WORD, "tuple", "items[11]"),
        (keys + 12, "dict", "keys.version"),
        (by_name + WORD, "dict", "value of 'key 3'"),
        (by_number + 2 * WORD, "collections.defaultdict", "value of 35"),
        (big, "set", f"entry[{big_number}]"),
        (small + WORD, "set", f"entry[{small_number}].hash"),
        (deque_item(data["deque"], 500), "collections.deque", "items[500]"),
        (node_of(data["ordered"], 9) + 16, "collections.OrderedDict", "node of 'node 9'.next"),
        (place_of(data["code"], "bytecode[]") + 6, "code", "bytecode of code"),
        (place_of(data["function"], "version"), "function", "version"),
        (place_of(data["class"], "version"), "type", "version"),
        (place_of(data["number"], "digits[]") + 4, "int", "digits[1]"),
        (place_of(data["float"], "value"), "float", "value"),
        (word(place_of(data["bytearray"], "start")) + 96, *BYTE_OF_BYTEARRAY),
        (place_of(data["bytearray"], "exports"), "bytearray", "exports"),
        (word(place_of(data["array"], "items")) + 6 * WORD, "array.array", "items+48"),
        (place_of(data["dict"], "used"), "dict", "used"),
    ]


def plant(addresses: list[int]) -> None:
    """Changes a byte at each; nothing may use the objects from here on."""
    for address in addresses:
        ctypes.c_uint8.from_address(address).value ^= 0x5A


def build() -> tuple[Any, dict[str, Any]]:
    with frozen_arena("planted") as arena:
        data = make_data()
    return arena, data
