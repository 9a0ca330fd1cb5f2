"""The file of an image: where what lies in it, and whether it fits this process.

::

    header    64 bytes: magic, format, where the description is, a digest of both
    body      from 64 KiB on: what is mapped, objects first, then payload
    tables    areas, checks, words, digests of the body
    description   JSON: everything else

Reading it maps nothing and believes nothing: what is not as it must be is an `ImageError`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import sys
from dataclasses import dataclass
from typing import Any

from frozen_arena._support import core
from frozen_arena.errors import ImageError
from frozen_arena.imaging.names import build_of_library

__all__ = [
    "BODY",
    "CHUNK",
    "FORMAT",
    "Description",
    "damaged",
    "digest",
    "head_of",
    "identity",
    "read_description",
    "read_table",
    "refuse_unless_fitting",
    "verify_body",
]

MAGIC = b"\x89frozen arena\r\n\x00"
FORMAT = 1
BODY = 64 * 1024
CHUNK = 2 * 1024 * 1024
_SLICE = 64 * 1024
_HEAD = struct.Struct("<16sIIQQ")
_DIGEST_BYTES = 24
_MOST_DESCRIPTION = 1 << 30
_MOST_BODY = 32 << 30
_ADDRESSES = range(1 << 40, 1 << 47)
_AGAIN = "save it again"

TABLES = ("areas", "checks", "words", "digests")


@dataclass(frozen=True, slots=True)
class Description:
    """What the header and the description of an image say, checked for sense."""

    facts: dict[str, Any]
    base: int
    objects_bytes: int
    payload_bytes: int
    live: tuple[int, int]
    objects: int
    blocks: int
    root: int
    tables: dict[str, tuple[int, int, str]]
    externals: list[dict[str, Any]]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.objects_bytes + self.payload_bytes


def digest(data: Any) -> str:
    """Of a table or a piece of the body."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def head_of(place: int, text: bytes) -> bytes:
    """The header of a file whose description is `text` and begins at `place`."""
    head = _HEAD.pack(MAGIC, FORMAT, 0, place, len(text))
    return head + hashlib.blake2b(head + text, digest_size=_DIGEST_BYTES).digest()


def _probe_hash() -> str:
    """Tells seeds apart and does not give the seed away."""
    words = tuple(hash(f"frozen arena {number}") for number in range(4))
    return hashlib.sha256(repr(words).encode()).hexdigest()[:32]


def identity() -> dict[str, Any]:
    """What an image and the process that opens it must have in common."""
    native = core()
    assert native is not None
    facts = sys.hash_info
    return {
        "python": sys.version,
        "implementation": f"{sys.implementation.cache_tag}{sys.abiflags}",
        "debug": hasattr(sys, "gettotalrefcount"),
        "build": build_of_library(object),
        "pointer": struct.calcsize("P"),
        "byteorder": sys.byteorder,
        # but for where this process has `type`
        "layout": digest(re.sub(rb'"type_type":\d+', b"", native.layout_text())),
        "hash": [facts.algorithm, facts.width, facts.modulus, facts.hash_bits, facts.cutoff],
        "seed": _probe_hash(),
    }


_DIFFERENT = {
    "python": "it was saved by Python {theirs}, and this is {ours}: " + _AGAIN + " with this one",
    "implementation": "it was saved by {theirs}, and this is {ours}: " + _AGAIN + " with this one",
    "debug": "a debug build and an ordinary one cannot share an image: " + _AGAIN + " with this",
    "build": "it was saved by another build of the same Python: " + _AGAIN + " with this one",
    "pointer": "it has pointers of another size: " + _AGAIN + " on this machine",
    "byteorder": "it has another order of bytes: " + _AGAIN + " on this machine",
    "layout": "it was saved by a version of frozen arena that knows other layouts: " + _AGAIN,
    "hash": "its hashes were made by another algorithm: " + _AGAIN + " with this interpreter",
    "seed": (
        "its hashes were made with another seed: set the same PYTHONHASHSEED (a number, not "
        "'random') where it is saved and where it is opened, or use frozen-arena run --image"
    ),
}


def refuse_unless_fitting(name: str, facts: dict[str, Any]) -> None:
    """Raises ImageError when the identity in `facts` is not that of this process."""
    theirs, ours = facts.get("identity"), identity()
    if not isinstance(theirs, dict):
        raise ImageError(f"{name}: the description names no interpreter; {_AGAIN}")
    for key, message in _DIFFERENT.items():
        if theirs.get(key) != ours[key]:
            said = message.format(theirs=theirs.get(key), ours=ours[key])
            raise ImageError(f"{name}: {said}")


def damaged(name: str, what: str) -> ImageError:
    """The error for a file that is not as it must be."""
    return ImageError(f"{name} is damaged or no image: {what}; {_AGAIN}")


def _read(descriptor: int, size: int, place: int) -> bytes:
    parts = []
    while size > 0:
        part = os.pread(descriptor, min(size, 1 << 30), place)
        if not part:
            break
        parts.append(part)
        place += len(part)
        size -= len(part)
    return b"".join(parts)


def read_description(name: str, descriptor: int) -> Description:
    """The description of an open file.

    Raises:
        ImageError: it is no image, of another format, cut off, or damaged.
    """
    size = os.fstat(descriptor).st_size
    head = _read(descriptor, _HEAD.size + _DIGEST_BYTES, 0)
    if len(head) < _HEAD.size + _DIGEST_BYTES:
        raise damaged(name, "it is shorter than a header")
    magic, form, _, place, length = _HEAD.unpack_from(head)
    if magic != MAGIC:
        raise damaged(name, "it does not begin as an image does")
    if form != FORMAT:
        raise ImageError(f"{name} has format {form}, and this version reads {FORMAT}; {_AGAIN}")
    if length > _MOST_DESCRIPTION or place > size or length > size - place:
        raise damaged(name, "it ends before its description does")
    text = _read(descriptor, length, place)
    if head_of(place, text) != head:
        raise damaged(name, "header and description do not fit their digest")
    try:
        facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ValueError("the description is no object")
        return _checked(facts, size)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(name, str(error) or type(error).__name__) from None


def _whole(value: Any, what: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{what} is not within its bounds")
    return value


def _checked(facts: dict[str, Any], size: int) -> Description:
    objects = _whole(facts["objects_bytes"], "the size of the objects", _SLICE, _MOST_BODY)
    payload = _whole(facts["payload_bytes"], "the size of the payload", 0, _MOST_BODY)
    base = _whole(facts["base"], "the address", _ADDRESSES.start, _ADDRESSES.stop)
    body = objects + payload
    if objects % _SLICE or payload % _SLICE or base % _SLICE:
        raise ValueError("sizes and address are no whole slices")
    if base + body > _ADDRESSES.stop or body > size - BODY:
        raise ValueError("the body does not lie within the file or within memory")
    live = facts["live"]
    if type(live) is not list or len(live) != 2:
        raise ValueError("live bytes are two numbers")
    live_bytes = (
        _whole(live[0], "live bytes", 0, objects),
        _whole(live[1], "live bytes", 0, payload),
    )
    tables = {}
    for name in TABLES:
        place, length, text = facts["tables"][name]
        _whole(place, f"the place of table {name}", BODY + body, size)
        _whole(length, f"the length of table {name}", 0, size - place)
        if type(text) is not str:
            raise ValueError(f"table {name} has no digest")
        tables[name] = (place, length, text)
    if tables["areas"][1] % 24 or tables["checks"][1] % 8 or tables["words"][1] % 4:
        raise ValueError("a table ends within an entry")
    if tables["digests"][1] != -(-body // CHUNK) * 8:
        raise ValueError("there are not as many digests as pieces of the body")
    externals = facts["externals"]
    if type(externals) is not list or not externals:
        raise ValueError("externals are a list")
    words = 0
    for external in externals:
        words += _whole(external["count"], "a number of words", 0, body // 8)
        _whole(external["address"], "an address", 1, (1 << 64) - 1)
        if type(external["reference"]) is not list:
            raise ValueError("a reference is a list")
    if words * 4 != tables["words"][1]:
        raise ValueError("the table of words is not as long as its parts")
    root = _whole(facts["root"], "the place of the root", 0, objects - 16)
    if root % 16:
        raise ValueError("the root lies where no object can")
    return Description(
        facts,
        base,
        objects,
        payload,
        live_bytes,
        _whole(facts["objects"], "the number of objects", 1, body // 16),
        _whole(facts["blocks"], "the number of blocks", 1, body // 16),
        root,
        tables,
        externals,
    )


def read_table(name: str, descriptor: int, description: Description, table: str) -> bytes:
    """A table of the file; ImageError where it does not fit its digest."""
    place, length, expected = description.tables[table]
    data = _read(descriptor, length, place)
    if len(data) != length or digest(data) != expected:
        raise damaged(name, f"table {table} does not fit its digest")
    return data


def verify_body(name: str, descriptor: int, description: Description) -> None:
    """Compares tables and body, 2 MiB at a time, with their digests; ImageError if one differs."""
    for table in TABLES:
        digests = read_table(name, descriptor, description, table)  # these come last
    for number, begin in enumerate(range(0, description.size, CHUNK)):
        piece = _read(descriptor, min(CHUNK, description.size - begin), BODY + begin)
        if digest(piece) != digests[8 * number : 8 * number + 8].hex():
            raise damaged(name, f"the body differs from its digest at byte {BODY + begin:,}")
