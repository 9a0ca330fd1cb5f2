"""Pairs of the write matrix: instances, code, types and caches. See write_matrix.py."""

from __future__ import annotations

import copy
import dataclasses
import dis
import enum
import functools
import gc
import inspect
import ipaddress
import json
import operator
import os
import pathlib
import pickle
import re
import struct
import traceback
import types
import weakref
from typing import Any

from write_matrix import Operation, Writes, row

DICT_POINTER = Writes(
    "the instance's dict is made, and the instance points to it (instance_dicts=True prevents it)"
)
WEAKREF = Writes("the instance points to its first weak reference", since=(3, 12))
CACHE = Writes("the object keeps what it has worked out in an attribute of its own")
RAISED = Writes("an exception carries the traceback and context of its last raise")
LINKS = Writes("a cache with a bound moves what was asked for to the front, and counts hits")
ANNOTATIONS = Writes("the function's dict of annotations is made when first asked for")
BYTECODE = Writes("code counts its runs and rewrites its instructions as it specialises")
MODULE_KEYS = Writes("the keys of a module's dict get a version when code specialises on them")
BYTECODE_3_12 = dataclasses.replace(BYTECODE, since=(3, 12))
KEYS_3_11 = Writes("the keys of a dict get a version when code specialises on them", before=(3, 12))
PARTIAL = Writes("a partial with keywords turns its fast path off when called", before=(3, 15))
TYPE_CACHE = Writes("a type keeps version tags, cached keys and the list of its subclasses")


class Plain:
    """An ordinary class with a ``__dict__``."""

    def __init__(self, number: int) -> None:
        self.number = number + 1000
        self.text = f"text-{number}"
        self.items = [number, number + 1]

    def total(self) -> int:
        return self.number + sum(self.items)

    @property
    def shout(self) -> str:
        return self.text.upper()


class Slotted:
    """A class without a ``__dict__``."""

    __slots__ = ("__weakref__", "number", "text")

    def __init__(self, number: int) -> None:
        self.number = number + 1000
        self.text = f"text-{number}"

    def total(self) -> int:
        return self.number + len(self.text)


@dataclasses.dataclass
class Record:
    """A dataclass as an application has them."""

    number: int
    text: str
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """A frozen dataclass with slots."""

    number: int
    text: str


class Colour(enum.Enum):
    RED = 1


def _record() -> Record:
    return Record(1001, "".join(["re", "cord"]), [f"tag-{n}" for n in range(3)])


def _function_of_two(first: int, second: int) -> int:
    return first + second


def _match_record(value: Any) -> Any:
    match value:
        case Record(number=found) | Plain(number=found):
            return found
    return None


ATTRIBUTES: list[Operation] = [
    ("read attributes", lambda o: (o.number, o.text, getattr(o, "number"), hasattr(o, "no"))),  # noqa: B009
    ("hash, compare, isinstance", lambda o: (o == 1, o != o, isinstance(o, Plain))),
    ("repr", repr),
    ("attrgetter, sort", lambda o: sorted([o, o], key=operator.attrgetter("number"))),
    ("match", _match_record),
    ("in a list, dict, set", lambda o: (o in [1, o], {id(o): o})),
    ("gc.collect", lambda _: gc.collect()),
]

DICTS: list[Operation] = [
    ("vars", vars),
    ("__dict__", lambda o: o.__dict__),
    ("dir", dir),
    ("copy.copy", copy.copy),
    ("copy.deepcopy", copy.deepcopy),
    ("pickle.dumps", pickle.dumps),
]

WITH_DICTS: list[Operation] = [(name, operate, DICT_POINTER) for name, operate, *_ in DICTS]
SLOT_COPIES: list[Operation] = [
    (name, operate) for name, operate, *_ in DICTS if name not in ("vars", "__dict__")
]


def _raise(error: Exception) -> None:
    try:
        raise error
    except ValueError:
        pass


def _cached(maxsize: int | None) -> Any:
    @functools.lru_cache(maxsize=maxsize)
    def square(number: int) -> int:
        return number * number

    for number in range(1000, 1006):
        square(number)
    return square


def _function(text: str = "def made(x, y=1003):\n    return x * y + len(str(x))") -> Any:
    names: dict[str, Any] = {}
    exec(compile(text, "<made>", "exec"), names)
    return names["made"]


def _loop(code: types.CodeType) -> Any:
    return eval(code, {"x": 3})


def _make_type() -> type:
    return type(
        "Made", (Plain,), {"factor": 1003, "scaled": lambda self: self.number * self.factor}
    )


def _make_module() -> types.ModuleType:
    module = types.ModuleType("made_module")
    module.factor = 1003  # type: ignore[attr-defined]
    module.label = "".join(["la", "bel"])  # type: ignore[attr-defined]
    return module


def _read_module(module: Any) -> int:
    return sum(module.factor for _ in range(100))


PAIRS = [
    *row(
        "instance",
        lambda: Plain(7),
        *ATTRIBUTES,
        ("call a method", lambda o: (o.total(), o.shout)),
        ("weakref.ref", weakref.ref, WEAKREF),
        *WITH_DICTS,
    ),
    *row(
        "instance, instance_dicts=True", lambda: Plain(7), *ATTRIBUTES, *DICTS, instance_dicts=True
    ),
    *row(
        "dataclass",
        _record,
        *ATTRIBUTES,
        ("asdict, astuple", lambda o: (dataclasses.asdict(o), dataclasses.astuple(o))),
        ("replace", lambda o: dataclasses.replace(o, number=5)),
        ("json.dumps of asdict", lambda o: json.dumps(dataclasses.asdict(o))),
        ("weakref.ref", weakref.ref, WEAKREF),
        *WITH_DICTS,
    ),
    *row("dataclass, instance_dicts=True", _record, *ATTRIBUTES, *DICTS, instance_dicts=True),
    *row(
        "slotted instance",
        lambda: Slotted(7),
        *ATTRIBUTES,
        ("call a method", lambda o: o.total()),
        ("weakref.ref", weakref.ref, WEAKREF),
        *SLOT_COPIES,
    ),
    *row(
        "frozen dataclass with slots",
        lambda: Fixed(1001, "".join(["fix", "ed"])),
        *ATTRIBUTES,
        ("hash", hash),
        ("asdict", dataclasses.asdict),
        *SLOT_COPIES,
    ),
    *row(
        "SimpleNamespace",
        lambda: types.SimpleNamespace(number=1001, text="".join(["a", "b"])),
        *ATTRIBUTES,
        ("vars", vars),
    ),
    *row(
        "list of enum members",
        lambda: [Colour.RED, Colour.RED],
        ("read", lambda xs: [(x.name, x.value, x is Colour.RED) for x in xs]),
        ("pickle.dumps", pickle.dumps),
    ),
    *row(
        "re.Pattern",
        lambda: re._compiler.compile("[a-i]+(?P<tail>zq)$", 0),  # type: ignore[attr-defined]
        (
            "search, sub, finditer",
            lambda p: (p.search("hgzq"), p.sub("", "azq"), list(p.finditer("azq"))),
        ),
        ("hash, compare", lambda p: (hash(p), p == p)),
        ("groups, repr", lambda p: (p.groupindex, p.pattern, repr(p))),
        ("pickle.dumps", pickle.dumps),
        ("copy.copy", copy.copy),
    ),
    *row(
        "partial",
        lambda: functools.partial(max, 1001),
        ("call", lambda p: p(1002)),
        ("repr, parts", lambda p: (repr(p), p.func, p.args, p.keywords)),
    ),
    *row(
        "partial, with keywords",
        lambda: functools.partial(_function_of_two, second=1001),
        ("call", lambda p: p(5), PARTIAL),
        ("repr, parts", lambda p: (repr(p), p.func, p.args, p.keywords)),
    ),
    *row(
        "struct.Struct",
        lambda: struct.Struct("<HHl"),
        ("pack, unpack", lambda s: s.unpack(s.pack(1, 2, 3))),
        ("size, format", lambda s: (s.size, s.format)),
    ),
    *row(
        "itemgetter",
        lambda: operator.itemgetter(1001, "".join(["ke", "y"])),
        ("call", lambda g: g({1001: 1, "key": 2})),
    ),
    *row(
        "IPv4Network",
        lambda: ipaddress.ip_network("10.1.0.0/16"),
        ("compare, contains", lambda n: (n == n, ipaddress.ip_address("10.1.2.3") in n)),
        ("num_addresses", lambda n: n.num_addresses, CACHE),
        ("hostmask, broadcast", lambda n: (n.hostmask, n.broadcast_address), CACHE),
    ),
    *row(
        "PurePath",
        lambda: pathlib.PurePosixPath("zq", "folder", "file.txt"),
        ("str", str, CACHE),
        ("hash", hash, CACHE),
        ("parts, name, suffix", lambda p: (p.parts, p.name, p.suffix), CACHE),
        ("compare", lambda p: p == pathlib.PurePosixPath("a"), CACHE),
        ("parent, join", lambda p: (p.parent, p / "x"), dataclasses.replace(CACHE, since=(3, 12))),
        ("os.fspath", os.fspath, CACHE),
    ),
    *row(
        "exception",
        lambda: ValueError("".join(["wr", "ong"]), 1001),
        ("str, repr, args", lambda e: (str(e), repr(e), e.args)),
        ("format", lambda e: traceback.format_exception_only(type(e), e)),
        ("pickle.dumps", pickle.dumps),
        ("raise", _raise, RAISED),
        (
            "with_traceback",
            lambda e: e.with_traceback(None),
            dataclasses.replace(RAISED, before=(3, 12)),
        ),
        (
            "__dict__",
            lambda e: e.__dict__,
            Writes("the exception's dict is made when first asked for"),
        ),
    ),
    *row(
        "lru_cache, bounded",
        lambda: _cached(16),
        ("hit", lambda f: [f(number) for number in range(1000, 1006)], LINKS),
        ("cache_info", lambda f: f.cache_info(), KEYS_3_11),
    ),
    *row(
        "lru_cache, unbounded",
        lambda: _cached(None),
        ("hit", lambda f: [f(number) for number in range(1000, 1006)], LINKS),
    ),
    *row(
        "function",
        _function,
        (
            "read its attributes",
            lambda f: (f.__name__, f.__defaults__, f.__qualname__, f.__module__),
        ),
        ("call", lambda f: f(3), BYTECODE),
        ("call with keywords", lambda f: f(x=3, y=4), BYTECODE),
        ("inspect.signature", inspect.signature, ANNOTATIONS),
        (
            "__dict__",
            lambda f: f.__dict__,
            Writes("the function's dict is made when first asked for"),
        ),
    ),
    *row(
        "code",
        lambda: compile("[x * n for n in range(50)]", "<made>", "eval"),
        ("read its attributes", lambda c: (c.co_name, c.co_consts, c.co_names, c.co_filename)),
        ("hash, compare", lambda c: (hash(c), c == c)),
        ("eval", _loop, BYTECODE),
        ("co_code, dis", lambda c: (c.co_code, list(dis.get_instructions(c))), BYTECODE),
        ("co_varnames", lambda c: c.co_varnames, BYTECODE_3_12),
        ("co_lines", lambda c: list(c.co_lines())),
    ),
    *row(
        "type",
        _make_type,
        ("hash, compare, name", lambda t: (hash(t), t == t, t.__name__, t.__mro__)),
        ("read attributes", lambda t: (t.factor, t.scaled, getattr(t, "none", 1)), TYPE_CACHE),
        ("instantiate, call", lambda t: t(3).scaled(), TYPE_CACHE),
        ("isinstance", lambda t: isinstance(5, t)),
        ("subclass", lambda t: type("Sub", (t,), {}), TYPE_CACHE),
        ("vars, dir", lambda t: (vars(t), dir(t))),
    ),
    *row(
        "module",
        _make_module,
        (
            "read an attribute",
            _read_module,
            MODULE_KEYS,
        ),
        ("vars, dir", lambda m: (vars(m), dir(m))),
        ("repr", repr, MODULE_KEYS),
    ),
]
