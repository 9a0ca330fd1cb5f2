"""Why a field of a frozen object was written to, and what to do about it: one sentence each."""

from __future__ import annotations

from dataclasses import dataclass

from frozen_arena.explaining.naming import Place

__all__ = ["Cause", "cause_of", "label_of"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One sentence on why, and one on what to do; the latter may be empty."""

    why: str
    remedy: str


_YOURS = Cause(
    "changed by your code",
    "change a copy instead, or leave it: copy-on-write keeps it to this process",
)
_COUNTED = Cause(
    "this object is mortal (the report of the arena says why): reading counts references to it",
    "also_freeze= its type if it is plain data; reshare() gives the OS page back when nobody holds "
    "the object",
)
_COUNTED_BEFORE_312 = Cause(
    "CPython 3.11 has no immortal objects: reading counts references",
    "reshare() between requests gives the OS page back; CPython 3.12 writes nothing here",
)
_COUNTED_IMMORTAL = Cause(
    "code that does not know immortal objects counted a reference: an extension for CPython before "
    "3.12, or on 3.14 and newer a frame that was running when the object was frozen",
    "update the extension; let the function that built the data return before the fork",
)
_COLLECTED = Cause(
    "the collector moved the object, or a neighbour of it in its list",
    "objects that stay mortal stay in its lists: also_freeze= their types, or keep them out of the "
    "block",
)
_HASHED = Cause(
    "its hash was computed after the freeze and is kept in the object",
    "hash it inside the block, where it is shared",
)
_DICT_MADE = Cause(
    "vars(), __dict__, dir(), copy or pickle asked for the dict of the instance, which was made",
    "instance_dicts=True makes them at the freeze",
)
_REFERRED = Cause(
    "a weak reference to it was made or died",
    "make it once inside the block and keep it, or keep_mortal= its type",
)
_INTERNED = Cause(
    "sys.intern() or setattr() made this str the one of its value", "intern it inside the block"
)
_FILLED = Cause(
    "a form that C code asked for is kept in the object (of a str: UTF-8)",
    "ask for it once inside the block",
)
_SPECIALISED = Cause(
    "the interpreter adapted code, or what adapted code relies on, while running it",
    "run it before the freeze as often as it takes to adapt, or leave it: it happens once",
)
_IN_USE = Cause(
    "words that go with using it (exports of a buffer, a position, a link)",
    "do not make views of frozen buffers, or leave it",
)
_UNKNOWN = Cause(
    "not in the layout table, or in a buffer that no object of the arena owns",
    "",
)
_TYPE = Cause("its class was changed by your code (__class__)", _YOURS.remedy)
_FLAGS = Cause("flags of the interpreter beside the reference count", "")

_BY_KIND = {
    "flags": _FLAGS,
    "type": _TYPE,
    "gc link": _COLLECTED,
    "hash": _HASHED,
    "size": _YOURS,
    "reference": _YOURS,
    "buffer": _YOURS,
    "cached pointer": _FILLED,
    "weakref list": _REFERRED,
    "dict pointer": _DICT_MADE,
    "intern state": _INTERNED,
    "version": _SPECIALISED,
    "state": _IN_USE,
    "data": _YOURS,
}

# What people call a kind of field, where the table is terser.
_LABELS = {
    "count": "reference count",
    "gc link": "gc head",
    "dict pointer": "__dict__ pointer",
    "weakref list": "weakref list",
    "intern state": "intern state",
}


def cause_of(place: Place, has_immortal: bool) -> Cause:
    """Why a word was written to; `has_immortal`: whether its interpreter has immortal objects."""
    if place.kind != "count":
        if place.field == "version" and place.entry.endswith(("dict", "Dict")):
            return _YOURS  # of a dict: counts its changes
        return _BY_KIND.get(place.kind, _UNKNOWN)
    if place.field == "keys.count":
        return _YOURS
    if not has_immortal:
        return _COUNTED_BEFORE_312
    return _COUNTED_IMMORTAL if place.immortal else _COUNTED


def label_of(place: Place) -> str:
    """The field in the words of people: ``reference count``, ``Record.name``, ``items[3]``."""
    if not place.known:
        return "unknown"
    label = _LABELS.get(place.kind)
    if label is None or place.field == "keys.count":
        return place.field
    return label
