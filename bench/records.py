"""Records by number: the data that every peer can hold, ordinary objects and packed forms alike.

A record is a dict of `values` fields whose names are the same for all. *Simple* values are
integers, floats and short texts in turn, which pack into a fraction of what the objects take;
*texts* are some hundred characters each, where nearly all bytes are payload in any form. Nothing is
shared between records but the names, and values come from arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SIMPLE, TEXTS = "simple", "texts"
_MIB = 2**20
_WORDS = ("amber", "basalt", "cedar", "delta", "ember", "fjord", "granite", "harbor", "indigo")
_SENTENCE = " ".join(_WORDS) * 12
# What one record takes as objects of CPython 3.12, without the entry that leads to it.
_FIXED_BYTES, _SIMPLE_BYTES, _TEXT_BYTES = 64, 76, 690

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Records:
    """A source of records, made one at a time as they are asked for.

    Attributes:
        kind: `SIMPLE` or `TEXTS`.
        values: Fields of a record.
        mib: What all of them take as ordinary objects, roughly, in MiB; 0 for no record.
    """

    kind: str
    values: int
    mib: float

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(f"field_{place:03}" for place in range(self.values))

    @property
    def count(self) -> int:
        """How many records there are; they are numbered from 0."""
        each = _SIMPLE_BYTES if self.kind == SIMPLE else _TEXT_BYTES
        return int(self.mib * _MIB / (_FIXED_BYTES + each * self.values))

    @property
    def value_types(self) -> tuple[type, ...]:
        """The type of each field."""
        types = (int, float, str) if self.kind == SIMPLE else (str,)
        return tuple(types[place % len(types)] for place in range(self.values))

    def __iter__(self) -> Iterator[Record]:
        """Makes all records, in order of their numbers."""
        fields = self.fields
        make: Callable[[int, int], Any] = _simple if self.kind == SIMPLE else _text
        for number in range(self.count):
            first = number * self.values
            yield {name: make(first + place, place) for place, name in enumerate(fields)}


def _simple(serial: int, place: int) -> Any:
    if place % 3 == 0:
        return serial + 1000  # beyond the small integers that every interpreter shares
    if place % 3 == 1:
        return serial * 0.25
    return f"{_WORDS[serial % 9]} {serial}"


def _text(serial: int, _place: int) -> str:
    start = serial % 97
    return f"{serial} {_SENTENCE[start : start + 600]}"
