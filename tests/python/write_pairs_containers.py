"""Pairs of the write matrix: tuples, sets, lists, dicts and their kin. See write_matrix.py."""

from __future__ import annotations

import collections
import copy
import gc
import itertools
import json
import operator
import pickle
import types
from collections.abc import Callable
from typing import Any

from write_matrix import Operation, Writes, row

GLOBALS = Writes(
    "code that reads globals from a dict gives the dict's keys a version when it specialises"
)
GARBAGE = Writes(
    "the copy is a cycle: until it is collected it refers to the original's parts", (3, 11), (3, 12)
)
ORDER = Writes("the order of the entries is what the operation changes")


class Point(collections.namedtuple("Point", "x y label")):
    """A namedtuple, as applications define it."""

    __slots__ = ()


def _collect(_: Any) -> None:
    gc.collect()


def _words(count: int = 6) -> list[str]:
    return [f"word-{number}" for number in range(count)]


def _record() -> Any:
    return json.loads(
        '{"id": 1234567, "tags": ["x1", "y2"], "at": {"lat": 1.5, "lon": null}, "ok": true}'
    )


def _keywords(**names: Any) -> int:
    return len(names)


def _match(value: Any) -> Any:
    match value:
        case {"id": found} | [found, *_]:
            return found
    return None


COLLECT: Operation = ("gc.collect", _collect)
TUPLE: list[Operation] = [
    ("hash", hash),
    ("look up in a dict", lambda t: {t: 1}.get(t)),
    ("test in a set", lambda t: t in {t}),
    ("iterate, unpack", lambda t: (list(t), [*t])),
    ("index, slice, count", lambda t: (t[0], t[1:], t.count(t[0]))),
    ("compare", lambda t: (t == t[:2], t < (*t, 1))),
    ("sort a list of it", lambda t: sorted([t, t])),
    ("repr", repr),
    ("json.dumps", json.dumps),
    ("pickle.dumps", pickle.dumps),
    ("copy.deepcopy", copy.deepcopy),
    COLLECT,
]

LIST: list[Operation] = [
    ("iterate", lambda xs: [(x,) for x in xs]),
    ("index, slice", lambda xs: (xs[0], xs[-1], xs[1:3], xs[::-1])),
    ("search", lambda xs: (xs[2] in xs, xs.index(xs[2]), xs.count(xs[2]))),
    ("sort a copy", sorted),
    ("sort a copy by key", lambda xs: sorted(xs, key=str, reverse=True)),
    ("compare", lambda xs: (xs == xs[:], xs == [])),
    ("repr", repr),
    ("concatenate, repeat", lambda xs: (xs + xs, xs * 2)),
    (
        "map, zip, enumerate",
        lambda xs: (list(map(repr, xs)), list(zip(xs, xs, strict=True)), list(enumerate(xs))),
    ),
    ("unpack", lambda xs: print(*xs, end="", file=None) if not xs else [*xs]),
    ("reversed, any, max", lambda xs: (list(reversed(xs)), any(xs), max(xs, key=repr))),
    ("copy.copy", copy.copy),
    ("copy.deepcopy", copy.deepcopy),
    ("json.dumps", lambda xs: json.dumps(xs, default=str)),
    ("pickle.dumps", pickle.dumps),
    ("match", _match),
    COLLECT,
]

DICT: list[Operation] = [
    ("look up", lambda d: (d["id"], d.get("none"), "tags" in d)),
    ("iterate", lambda d: (list(d), list(d.values()), list(d.items()))),
    ("comprehension", lambda d: {k: (v,) for k, v in d.items()}),
    ("compare", lambda d: (d == dict(d), d == {})),
    ("copy, union", lambda d: (d.copy(), d | {"z": 1})),
    ("call with it", lambda d: _keywords(**d)),
    ("views", lambda d: (d.keys() & {"id"}, len(d.items()), list(reversed(d)))),
    ("repr, format", lambda d: (repr(d), "{id}".format_map(d))),
    ("sort the items", lambda d: sorted(d.items(), key=repr)),
    ("copy.deepcopy", copy.deepcopy),
    ("json.dumps", lambda d: json.dumps(d, sort_keys=True)),
    ("pickle.dumps", pickle.dumps),
    ("itemgetter", operator.itemgetter("id", "ok")),
    ("match", _match),
    COLLECT,
]

SET: list[Operation] = [
    ("test", lambda s: ("word-1" in s, "none" in s)),
    ("iterate", lambda s: [(x,) for x in s]),
    ("algebra", lambda s: (s | {"a"}, s & {"word-1"}, s - {"word-2"}, s ^ {"b"})),
    ("compare", lambda s: (s == {"a"}, s <= s, s.isdisjoint({"a"}))),
    ("sort", sorted),
    ("repr", repr),
    ("copy.copy", copy.copy),
    ("copy.deepcopy", copy.deepcopy),
    ("pickle.dumps", pickle.dumps),
    COLLECT,
]


def _globals() -> dict[str, Any]:
    return {"__builtins__": __builtins__, "__name__": "made_up", "factor": 1003, "offset": 1009}


def _run_with_globals(names: dict[str, Any]) -> None:
    code = compile("for _ in range(200): factor + offset", "<loop>", "exec")
    for _ in range(4):
        exec(code, names, {})


def _function_with_globals(names: dict[str, Any]) -> int:
    function: Callable[[], int] = types.FunctionType((lambda: factor + offset).__code__, names)  # type: ignore[name-defined]  # noqa: F821
    return sum(function() for _ in range(200))


PAIRS = [
    *row("tuple", lambda: tuple(_words()), *TUPLE),
    *row("tuple of numbers", lambda: tuple(range(5000, 5006)), *TUPLE),
    *row("tuple of tuples", lambda: tuple((word, len(word) + 999) for word in _words()), *TUPLE),
    *row(
        "namedtuple",
        lambda: Point(1001, 1002, "".join(["a", "b"])),
        ("hash", hash),
        ("fields", lambda p: (p.x, p.label, p._asdict())),
        ("repr, compare", lambda p: (repr(p), p == (1, 2))),
        ("_replace", lambda p: p._replace(x=5)),
        ("pickle.dumps", pickle.dumps),
        ("copy.copy", copy.copy),
    ),
    *row("list", _words, *LIST),
    *row(
        "list of lists",
        lambda: [[word, len(word) + 999] for word in _words()],
        *LIST[:9],
        *LIST[10:],
    ),
    *row("list of records", lambda: [_record() for _ in range(3)], LIST[0], LIST[5], *LIST[11:]),
    *row("dict", _record, *DICT),
    *row(
        "dict by number",
        lambda: {number * 1001: f"v{number}" for number in range(40)},
        ("look up", lambda d: (d[1001], d.get(7), 2002 in d)),
        ("iterate", lambda d: (list(d), list(d.items()))),
        ("compare, copy", lambda d: (d == dict(d), d.copy())),
        COLLECT,
    ),
    *row(
        "dict by tuple",
        lambda: {(number + 1000, f"k{number}"): number + 5000 for number in range(40)},
        ("look up", lambda d: (d[(1003, "k3")], d.get((1, 2)))),
        ("iterate and look up", lambda d: [d[key] for key in d]),
        ("sort", sorted),
        COLLECT,
    ),
    *row(
        "dict as globals",
        _globals,
        ("look up", lambda d: d["factor"]),
        ("exec", _run_with_globals),
        ("call a function in it", _function_with_globals, GLOBALS),
    ),
    *row("set", lambda: set(_words()), *SET),
    *row("set of 100", lambda: set(_words(100)), *SET),
    *row(
        "frozenset",
        lambda: frozenset(_words(40)),
        ("hash", hash),
        ("look up in a dict", lambda s: {s: 1}.get(s)),
        ("test in a set", lambda s: s in {s}),
        *SET,
    ),
    *row(
        "range",
        lambda: range(1000, 9000, 7),
        ("iterate, index, hash", lambda r: (list(r), r[3], hash(r), 1007 in r)),
        ("compare, slice", lambda r: (r == range(3), r[3:5])),
    ),
    *row(
        "slice",
        lambda: slice(1001, 9001, 7),
        ("use", lambda s: (s.indices(5000), list(range(99))[s], repr(s))),
    ),
    *row(
        "deque",
        lambda: collections.deque(_words(100), maxlen=200),
        ("iterate, index", lambda d: (list(d), d[0], d[50], d[-1])),
        ("search", lambda d: ("word-3" in d, d.count("word-4"), d.index("word-5"))),
        ("reversed, repr", lambda d: (list(reversed(d)), repr(d))),
        ("copy, compare", lambda d: (d.copy(), d == d.copy())),
        ("pickle.dumps", pickle.dumps),
        ("rotate", lambda d: d.rotate(1), ORDER),
        COLLECT,
    ),
    *row(
        "OrderedDict",
        lambda: collections.OrderedDict((word, len(word) + 999) for word in _words()),
        ("look up", lambda d: (d["word-1"], d.get("none"))),
        ("iterate", lambda d: (list(d), list(d.items()), list(reversed(d)))),
        ("compare, copy", lambda d: (d == d.copy(), dict(d))),
        ("json.dumps, repr", lambda d: (json.dumps(d), repr(d))),
        ("pickle.dumps", pickle.dumps),
        ("move_to_end", lambda d: d.move_to_end("word-1", last=d["word-2"] > 0), ORDER),
        COLLECT,
    ),
    *row(
        "defaultdict",
        lambda: collections.defaultdict(list, {word: [word] for word in _words()}),
        ("look up", lambda d: (d["word-1"], d.get("none"))),
        ("iterate, copy", lambda d: (list(d.items()), d.copy())),
        ("pickle.dumps, repr", lambda d: (pickle.dumps(d), repr(d))),
        COLLECT,
    ),
    *row(
        "Counter",
        lambda: collections.Counter({word: len(word) + 999 for word in _words()}),
        ("look up", lambda c: (c["word-1"], c["none"])),
        ("most_common, total", lambda c: (c.most_common(2), c.total())),
        ("add, compare", lambda c: (c + c, c == c)),
        ("pickle.dumps", pickle.dumps),
    ),
    *row(
        "ChainMap",
        lambda: collections.ChainMap({"a": 1001}, {"b": 1002}),
        ("look up, iterate", lambda c: (c["b"], list(c), dict(c))),
        ("new_child", lambda c: c.new_child({"c": 1})),
    ),
    *row(
        "mappingproxy",
        lambda: types.MappingProxyType(dict.fromkeys(_words(), 1001)),
        ("look up, iterate", lambda m: (m["word-1"], list(m.items()), m.copy())),
    ),
    *row(
        "graph of dicts",
        lambda: _ring(8),
        ("walk", lambda node: [list(part) for part in itertools.islice(_walk(node), 20)]),
        ("copy.deepcopy", copy.deepcopy, GARBAGE),
        COLLECT,
    ),
]


def _ring(size: int) -> dict[str, Any]:
    """``size`` dicts, each knowing the next one."""
    nodes: list[dict[str, Any]] = [{"number": number + 1000} for number in range(size)]
    for node, after in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node["next"] = after
    return nodes[0]


def _walk(node: dict[str, Any]) -> Any:
    while True:
        yield node
        node = node["next"]
