"""The layout table against the interpreter that runs: what is planted at an offset changes what the
table names, and what the interpreter changes is seen at the offset.
"""

from __future__ import annotations

import array
import collections
import ctypes
import datetime
import decimal
import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

core = pytest.importorskip("frozen_arena._core")

WORD = 8
PLANTED = 0x5A5A5A5A
COUNT_HAS_FLAGS = sys.version_info >= (3, 14)
TUPLE_HAS_HASH = sys.version_info >= (3, 14)
HAS_INLINE_VALUES = sys.version_info >= (3, 13)


class Plain:
    """Has a managed dict and managed weak references."""


class Slotted:
    __slots__ = ("__weakref__", "first", "second")


class Text(str):
    """An instance of a subclass is never compact."""


def table(kind: type) -> dict[str, tuple[str, int, int]]:
    """Name -> (kind, offset, size)."""
    return {name: (what, offset, size) for name, what, offset, size in core.layout_of(kind)}


def word_at(thing: object, name: str) -> ctypes.c_int64:
    _, offset, size = table(type(thing))[name]
    assert size == WORD, (name, size)
    return ctypes.c_int64.from_address(id(thing) + offset)


def pointer_at(thing: object, name: str) -> int:
    _, offset, size = table(type(thing))[name]
    assert size == WORD, (name, size)
    return ctypes.c_size_t.from_address(id(thing) + offset).value


@pytest.fixture
def plant() -> Iterator[Callable[[object, str, int], None]]:
    """Writes a word of an object; afterwards it is as it was."""
    undo: list[tuple[object, ctypes.c_int64, int]] = []  # the object lives until it is mended

    def write(thing: object, name: str, value: int) -> None:
        word = word_at(thing, name)
        undo.append((thing, word, word.value))
        word.value = value

    yield write
    for _, word, value in reversed(undo):
        word.value = value


EXPECTED = {
    object: {"count", "type"},
    int: {"digits[]"},
    float: {"value"},
    complex: {"value"},
    str: {"length", "hash", "state", "utf8", "utf8_length"},
    bytes: {"size", "hash", "bytes[]"},
    bytearray: {"size", "allocated", "bytes", "exports"},
    tuple: {"gc_next", "gc_previous", "size", "items[]"},
    list: {"gc_next", "gc_previous", "size", "items", "allocated"},
    dict: {"gc_next", "gc_previous", "used", "keys", "values"},
    set: {"fill", "used", "mask", "table", "hash", "weakrefs", "table[]"},
    frozenset: {"fill", "used", "mask", "table", "hash", "weakrefs", "table[]"},
    range: {"start", "stop", "step", "length"},
    slice: {"start", "stop", "step"},
    memoryview: {"hash", "exports", "managed_buffer"},
    types.FunctionType: {"code", "globals", "defaults", "closure", "version"},
    types.CodeType: {"consts", "names", "cached", "bytecode[]"},
    types.MethodType: {"func", "self"},
    types.BuiltinFunctionType: {"self", "module"},
    types.ModuleType: {"dict"},
    types.CellType: {"contents"},
    weakref.ref: {"object", "callback", "hash", "previous", "next"},
    type: {"flags", "dict", "base", "mro", "version", "name", "cached_keys"},
    ValueError: {"dict", "args", "traceback"},
    datetime.date: {"hash", "data"},
    datetime.time: {"hash", "data", "tzinfo"},
    datetime.datetime: {"hash", "data", "tzinfo"},
    datetime.timedelta: {"hash", "days", "seconds"},
    datetime.timezone: {"offset", "name"},
    decimal.Decimal: {"hash", "flags", "exponent", "words"},
    collections.deque: {"size", "left_block", "maxlen", "weakrefs"},
    collections.defaultdict: {"used", "keys", "default_factory"},
    collections.OrderedDict: {"used", "keys", "first", "last"},
    array.array: {"size", "items", "allocated", "exports"},
    Plain: {"gc_next", "dict_or_values" if sys.version_info[:2] == (3, 12) else "dict"},
    Slotted: {"gc_next", "first", "second", "weakrefs"},
    Text: {"data", "hash"},
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_every_known_type_has_its_fields(kind: type) -> None:
    """An entry whose size differs from the interpreter's is not used, and its fields are
    missing."""
    missing = EXPECTED[kind] - table(kind).keys()
    assert not missing, core.layout_of(kind)


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_fields_are_sorted_and_do_not_overlap(kind: type) -> None:
    rows = [row for row in core.layout_of(kind) if not row[0].endswith("[]")]
    ends = [offset + size for _, _, offset, size in rows]
    starts = [offset for _, _, offset, _ in rows]
    assert starts == sorted(starts)
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False)), rows


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_fixed_fields_end_within_the_basic_size(kind: type) -> None:
    ends = [offset + size for name, _, offset, size in core.layout_of(kind) if "[]" not in name]
    inline_values = WORD if "values_head" in table(kind) else 0
    assert max(ends) <= kind.__basicsize__ + inline_values


def test_something_that_is_no_type_is_refused() -> None:
    with pytest.raises(TypeError, match="a type is needed"):
        core.layout_of([])


def test_count_is_the_reference_count() -> None:
    thing = Plain()
    _, offset, size = table(Plain)["count"]
    count = (ctypes.c_uint32 if size == 4 else ctypes.c_int64).from_address(id(thing) + offset)
    before = count.value
    holders = [thing] * 10
    assert count.value == before + 10
    del holders
    assert count.value == before
    assert ("flags" in table(Plain)) == COUNT_HAS_FLAGS


@pytest.mark.parametrize("thing", [Plain(), [], "x", 10**30, Slotted()], ids=str)
def test_type_is_the_type(thing: object) -> None:
    assert pointer_at(thing, "type") == id(type(thing))


def test_gc_links_are_zero_exactly_while_untracked() -> None:
    thing: list[object] = []
    assert gc.is_tracked(thing)
    assert pointer_at(thing, "gc_next") != 0
    assert pointer_at(thing, "gc_previous") != 0
    atomic = tuple("ab")
    gc.collect()
    if not gc.is_tracked(atomic):
        assert pointer_at(atomic, "gc_next") == 0


def fresh_str() -> str:
    return "".join(["fresh ", "text"])


@pytest.mark.parametrize(
    "make",
    [
        fresh_str,
        lambda: Text(fresh_str()),
        lambda: b"".join([b"fresh ", b"bytes"]),
        lambda: frozenset(["fresh", "set"]),
        lambda: datetime.date(2001, 2, 3),
        lambda: datetime.time(4, 5),
        lambda: datetime.datetime(2001, 2, 3, 4, tzinfo=datetime.UTC),
        lambda: datetime.timedelta(6, 7),
        lambda: decimal.Decimal("8.9"),
        lambda: memoryview(bytes([1, 2])),
        pytest.param(
            lambda: tuple("eleven"),
            marks=pytest.mark.skipif(not TUPLE_HAS_HASH, reason="tuples cache no hash"),
        ),
    ],
    ids=[
        "str",
        "subclass of str",
        "bytes",
        "frozenset",
        "date",
        "time",
        "datetime",
        "timedelta",
        "Decimal",
        "memoryview",
        "tuple",
    ],
)
def test_hash_is_cached_where_the_table_says(
    make: Callable[[], Any], plant: Callable[[object, str, int], None]
) -> None:
    thing = make()
    assert table(type(thing))["hash"][0] == "hash"
    assert word_at(thing, "hash").value == -1
    assert hash(thing) == word_at(thing, "hash").value
    plant(thing, "hash", PLANTED)
    assert hash(thing) == PLANTED


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: [1, 2, 3], "size"),
        (lambda: (1, 2, 3), "size"),
        (lambda: bytearray(b"abc"), "size"),
        (lambda: bytes([1, 2, 3]), "size"),
        (lambda: {1: 1, 2: 2, 3: 3}, "used"),
        (lambda: {1, 2, 3}, "used"),
        (lambda: fresh_str()[:3], "length"),
        (lambda: collections.deque([1, 2, 3]), "size"),
        (lambda: collections.defaultdict(list, {1: [], 2: [], 3: []}), "used"),
        (lambda: collections.OrderedDict.fromkeys([1, 2, 3]), "used"),
        (lambda: array.array("i", [1, 2, 3]), "size"),
    ],
    ids=[
        "list",
        "tuple",
        "bytearray",
        "bytes",
        "dict",
        "set",
        "str",
        "deque",
        "defaultdict",
        "OrderedDict",
        "array",
    ],
)
def test_planted_size_is_the_length(
    make: Callable[[], Any], name: str, plant: Callable[[object, str, int], None]
) -> None:
    thing = make()
    assert table(type(thing))[name][0] == "size"
    assert word_at(thing, name).value == len(thing) == 3
    plant(thing, name, 2)
    assert len(thing) == 2


def a_function(argument: int = 10**6) -> object:
    return lambda: argument


CLOSURE = a_function()
METHOD = Plain().__dir__
TARGET = Slotted()


@pytest.mark.parametrize(
    ("thing", "name", "target"),
    [
        (a_function, "code", a_function.__code__),
        (a_function, "globals", globals()),
        (a_function, "defaults", a_function.__defaults__),
        (CLOSURE, "closure", CLOSURE.__closure__),  # type: ignore[attr-defined]
        (a_function.__code__, "consts", a_function.__code__.co_consts),
        (a_function.__code__, "name", a_function.__code__.co_name),
        (types.CellType(TARGET), "contents", TARGET),
        (METHOD, "self", METHOD.__self__),
        (len, "self", sys.modules["builtins"]),
        (sys, "dict", vars(sys)),
        (slice(10**9, None), "start", None),
        (
            datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC),
            "tzinfo",
            datetime.UTC,
        ),
        (weakref.ref(TARGET, print), "callback", print),
        (weakref.ref(TARGET), "object", TARGET),
        (collections.defaultdict(Slotted), "default_factory", Slotted),
        (Plain, "mro", Plain.__mro__),
        (Plain, "base", object),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reference_is_the_object(thing: object, name: str, target: object) -> None:
    if name == "start":
        assert isinstance(thing, slice)
        target = thing.start
    assert pointer_at(thing, name) == id(target)


def test_slots_are_found_by_their_names() -> None:
    thing = Slotted()
    thing.first, thing.second = "one", "two"
    assert pointer_at(thing, "first") == id(thing.first)
    assert pointer_at(thing, "second") == id(thing.second)
    del thing.first
    assert pointer_at(thing, "first") == 0
    assert table(Slotted)["first"][0] == "reference"


def test_items_of_a_tuple_follow_its_fields() -> None:
    thing = ("a", "b", "c")
    _, offset, size = table(tuple)["items[]"]
    items = (ctypes.c_size_t * 3).from_address(id(thing) + offset)
    assert size == WORD
    assert list(items) == [id(item) for item in thing]


def test_items_of_a_list_are_behind_its_buffer() -> None:
    thing = [Plain(), Plain()]
    items = (ctypes.c_size_t * 2).from_address(pointer_at(thing, "items"))
    assert list(items) == [id(item) for item in thing]
    assert table(list)["items"][0] == "buffer"


def test_characters_of_bytes_follow_its_fields() -> None:
    thing = b"".join([b"abc", b"def"])
    _, offset, size = table(bytes)["bytes[]"]
    assert size == 1
    assert ctypes.string_at(id(thing) + offset, len(thing)) == thing


def test_utf8_form_is_kept_where_the_table_says() -> None:
    thing = "".join(["не ", "ASCII"])
    assert table(str)["utf8"][0] == "cached pointer"
    assert pointer_at(thing, "utf8") == 0
    as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8
    as_utf8.restype, as_utf8.argtypes = ctypes.c_void_p, [ctypes.py_object]
    address = as_utf8(thing)
    assert pointer_at(thing, "utf8") == address
    assert pointer_at(thing, "utf8_length") == len(thing.encode())


def test_interning_changes_the_state_of_a_str() -> None:
    thing = "".join(["never ", "interned ", "before"])
    kind, offset, size = table(str)["state"]
    assert (kind, size) == ("intern state", 4)
    state = ctypes.c_uint32.from_address(id(thing) + offset)
    before = state.value
    assert before & 3 == 0
    assert sys.intern(thing) is thing
    assert state.value & 3 in (1, 2)
    assert state.value & ~3 == before


def test_making_a_view_counts_an_export() -> None:
    for thing in (bytearray(b"abc"), array.array("b", b"abc")):
        assert word_at(thing, "exports").value == 0
        with memoryview(thing):
            assert word_at(thing, "exports").value == 1
        assert word_at(thing, "exports").value == 0


def test_weak_references_start_at_the_list() -> None:
    for thing in (Slotted(), {1}, a_function, collections.deque()):
        reference = weakref.ref(thing)
        assert pointer_at(thing, "weakrefs") == id(reference)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 keeps the list in the instance")
def test_managed_weak_references_lie_before_the_object() -> None:
    thing = Plain()
    assert pointer_at(thing, "weakrefs") == 0
    reference = weakref.ref(thing)
    assert pointer_at(thing, "weakrefs") == id(reference)
    assert table(Plain)["weakrefs"][1] < 0


def test_asking_for_the_dict_of_an_instance_fills_its_pointer() -> None:
    thing = Plain()
    thing.attribute = "value"  # type: ignore[attr-defined]
    name = "dict_or_values" if "dict_or_values" in table(Plain) else "dict"
    assert table(Plain)[name][0] == "dict pointer"
    assert pointer_at(thing, name) != id(vars(thing)) or name == "dict"
    assert pointer_at(thing, name) == id(vars(thing))


@pytest.mark.skipif(not HAS_INLINE_VALUES, reason="values lie in a block of their own")
def test_attributes_lie_behind_the_instance() -> None:
    thing = Plain()
    thing.attribute = "an attribute"  # type: ignore[attr-defined]
    kind, offset, size = table(Plain)["values[]"]
    assert (kind, size) == ("reference", WORD)
    values = (ctypes.c_size_t * 8).from_address(id(thing) + offset)
    assert id("an attribute") in list(values) or id(vars(thing)["attribute"]) in list(values)


def test_decimal_is_laid_out_as_libmpdec_does() -> None:
    thing = decimal.Decimal("-12.5")
    assert word_at(thing, "exponent").value == -1
    assert word_at(thing, "digits").value == 3
    _, offset, _ = table(decimal.Decimal)["flags"]
    assert ctypes.c_uint8.from_address(id(thing) + offset).value & 1
    assert ctypes.c_uint64.from_address(pointer_at(thing, "words")).value == 125
