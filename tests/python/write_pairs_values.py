"""Pairs of the write matrix: text, bytes, numbers, dates and times. See write_matrix.py."""

from __future__ import annotations

import array
import copy
import ctypes
import datetime
import decimal
import fractions
import io
import json
import pickle
import re
import struct
import sys
import unicodedata
import uuid
from typing import Any

from write_matrix import Operation, Writes, row

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=2))
_AS_UTF8 = ctypes.pythonapi.PyUnicode_AsUTF8
_AS_UTF8.restype = ctypes.c_char_p
_AS_UTF8.argtypes = [ctypes.py_object]

INTERNED = Writes(
    "the intern state is set in the str: from then on the name itself is the interned one",
    in_debug_builds=False,  # there a frozen str says so from the start
)
EXPORTS = Writes("a bytearray or array counts who looks at its buffer", since=(3, 12))
MANAGED = Writes("a memoryview and its managed buffer count their views", since=(3, 12))
CACHED = Writes("the cache of methods keeps a reference to the name it looked for", before=(3, 12))


class Bag:
    """Something to set attributes on."""


def _set_attribute(name: str) -> None:
    setattr(Bag(), name, 1)


def _text(*parts: str) -> Any:
    """A str that is made now, not when this file was compiled."""
    return lambda: "".join(parts)


TEXT: list[Operation] = [
    ("hash", hash),
    ("look up in a dict", lambda s: {"a": 1, "zq_identifier": 2}.get(s)),
    ("test in a set", lambda s: s in {"a", "zq_identifier", "höhe"}),
    ("use as a new dict's key", lambda s: {s: 1}),
    ("getattr by it", lambda s: getattr(Bag, s, None), CACHED),
    ("compare", lambda s: (s == "zq_identifies", s < "zz")),
    ("slice, split, iterate", lambda s: (s[1:3], s.split("_"), list(s))),
    ("encode", lambda s: s.encode()),
    ("format", lambda s: f"{s:>40}{s!r}"),
    ("upper, find, replace", lambda s: (s.upper(), s.find("i"), s.replace("i", "j"))),
    ("re.search", lambda s: re.search("[a-i]+$", s)),
    ("json.dumps", json.dumps),
    ("pickle.dumps", pickle.dumps),
    ("print", lambda s: print(s, file=io.StringIO())),
    ("PyUnicode_AsUTF8", _AS_UTF8),
    ("copy.deepcopy", copy.deepcopy),
    ("normalize", lambda s: unicodedata.normalize("NFD", s)),
]

BYTES: list[Operation] = [
    ("hash", hash),
    ("look up in a dict", lambda b: {b"a": 1, b"key-of-bytes": 2}.get(b)),
    ("slice, iterate", lambda b: (b[1:3], list(b))),
    ("decode", lambda b: b.decode()),
    ("memoryview", lambda b: bytes(memoryview(b)[2:5])),
    ("struct.unpack_from", lambda b: struct.unpack_from("<HH", b)),
    ("re.search", lambda b: re.search(b"[a-i]+$", b)),
    ("pickle.dumps", pickle.dumps),
    ("join", lambda b: b"".join([b, b])),
    ("hex", lambda b: b.hex()),
]

NUMBER: list[Operation] = [
    ("hash", hash),
    ("arithmetic", lambda n: (n + 1, n * n, -n)),
    ("compare", lambda n: (n == 1, n != 2)),
    ("format", lambda n: (repr(n), str(n))),
    ("copy.deepcopy", copy.deepcopy),
    ("pickle.dumps", pickle.dumps),
]

WHEN: list[Operation] = [
    ("hash", hash),
    ("look up in a dict", lambda d: {d: 1}.get(d)),
    ("compare", lambda d: (d == d.replace(), d < d)),
    ("str, repr", lambda d: (str(d), repr(d))),
    ("pickle.dumps", pickle.dumps),
    ("copy.copy", copy.copy),
]

SHOWN: list[Operation] = [
    ("isoformat", lambda d: d.isoformat()),
    ("strftime", lambda d: d.strftime("%H:%M %d")),
]


def _when(year: int = 2024, zone: datetime.tzinfo | None = None) -> datetime.datetime:
    return datetime.datetime(year, 5, 17, 11, 30, 5, 1234, zone)


PAIRS = [
    *row("str", _text("zq_", "identifier"), *TEXT),
    *row(
        "str, as a name",
        _text("zq_", "never_seen_before"),  # what is interned already is not interned again
        ("sys.intern", sys.intern, INTERNED),
        ("setattr by it", _set_attribute, INTERNED),
        ("getattr by it", lambda s: getattr(Bag, s, None), CACHED),
    ),
    *row("str, Latin-1", _text("höhe", "_und_größe"), *TEXT),
    *row("str, two bytes a character", _text("высота", "_и_ширина"), *TEXT),
    *row("str, four bytes a character", _text("\U0001f40d", "_snake"), *TEXT),
    *row(
        "str, non-ASCII, as a strftime format",
        _text("%Y ÷ %m", " größe"),
        ("strftime", _when().strftime),
    ),
    *row("bytes", lambda: b"-".join([b"key", b"of", b"bytes"]), *BYTES),
    *row(
        "bytearray",
        lambda: bytearray(range(64)),
        ("index, iterate, slice", lambda b: (b[3], sum(b), b[1:9])),
        ("find, decode", lambda b: (b.find(9), b.decode("latin-1")), EXPORTS),
        ("compare", lambda b: b == b"no", EXPORTS),
        ("memoryview", lambda b: memoryview(b)[0], EXPORTS),
        ("bytes", bytes, EXPORTS),
        ("struct.unpack_from", lambda b: struct.unpack_from("<H", b), EXPORTS),
    ),
    *row(
        "array.array",
        lambda: array.array("l", range(64)),
        ("index, iterate, slice", lambda a: (a[3], sum(a), a[1:9])),
        ("tobytes, tolist, count", lambda a: (a.tobytes(), a.tolist(), a.count(3))),
        ("copy.copy", copy.copy),
        ("memoryview", lambda a: memoryview(a)[0], EXPORTS),
        ("bytes", bytes, EXPORTS),
        ("struct.unpack_from", lambda a: struct.unpack_from("<H", a), EXPORTS),
    ),
    *row(
        "memoryview",
        lambda: memoryview(bytes(range(64))),
        ("hash", hash),
        ("index, tolist, tobytes", lambda m: (m[3], m.tolist(), m.tobytes())),
        ("compare", lambda m: m == m),
        ("slice", lambda m: m[2:5], MANAGED),
        ("bytes", bytes, MANAGED),
    ),
    *row("int", lambda: 10**30 + len("grow"), *NUMBER),
    *row("int, one digit", lambda: 100_000 + len("grow"), *NUMBER),
    *row("float", lambda: 1.5 * len("grow"), *NUMBER),
    *row("complex", lambda: complex(1.5, len("grow")), *NUMBER),
    *row("Decimal", lambda: decimal.Decimal("12345678901234567890.125"), *NUMBER),
    *row("Decimal, for a report", lambda: decimal.Decimal("12.50"), ("format", "{:,.2f}".format)),
    *row(
        "Decimal, quantized",
        lambda: decimal.Decimal("12.50"),
        ("round, int", lambda d: (round(d, 1), int(d))),
    ),
    *row("Fraction", lambda: fractions.Fraction(12345, 678), *NUMBER),
    *row("date", lambda: datetime.date(2024, 5, 17), *WHEN, *SHOWN),
    *row("time", lambda: datetime.time(11, 30, 5, 9), *WHEN, *SHOWN),
    *row("time, aware", lambda: datetime.time(11, 30, 5, 9, UTC), *WHEN, *SHOWN),
    *row("datetime", _when, *WHEN, *SHOWN, ("timestamp", lambda d: d.timestamp())),
    *row(
        "datetime, aware",
        lambda: _when(2023, EAST),
        *WHEN,
        *SHOWN,
        ("astimezone, timetuple", lambda d: (d.astimezone(UTC), d.timetuple())),
        ("subtract", lambda d: d - _when(zone=UTC)),
    ),
    *row(
        "timedelta",
        lambda: datetime.timedelta(3, 5, 7),
        ("hash", hash),
        ("arithmetic", lambda t: (t + t, t * 2, t.total_seconds())),
        ("compare, str", lambda t: (t < t * 2, str(t))),
        ("pickle.dumps", pickle.dumps),
    ),
    *row(
        "timezone",
        lambda: datetime.timezone(datetime.timedelta(hours=3), "".join(["zo", "ne"])),
        ("hash", hash),
        ("utcoffset, tzname", lambda z: (z.utcoffset(None), z.tzname(None))),
    ),
    *row(
        "UUID",
        lambda: uuid.UUID(int=0x1234567890ABCDEF),
        ("hash", hash),
        ("str, hex, bytes", lambda u: (str(u), u.hex, u.bytes)),
        ("compare", lambda u: (u == uuid.NAMESPACE_DNS, u < uuid.NAMESPACE_DNS)),
        ("pickle.dumps", pickle.dumps),
        ("copy.copy", copy.copy),
    ),
]
