"""Nine ordinary loops, and one process that runs one of them: what `outside` counts.

Run as ``python -m bench.loops LOOP COUNT STATE``. Imports as little as it can, because all of it
runs under valgrind. The collector is off, so that what it does at which allocation is no part of
the count: the package changes nothing in it outside a block.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

STATES = ("never imported", "the same, moved", "imported", "after a sealed block")


class _Pair:
    def __init__(self, left: int, right: object) -> None:
        self.left = left
        self.right = right

    def swap(self, step: int) -> int:
        self.left += step
        return self.left


def object_churn(count: int) -> None:
    """Makes and drops objects of many sizes, some of them out of order."""
    kept: list[object] = [None] * 64
    for number in range(count * 6):
        pair = _Pair(number, (number, number + 1))
        kept[number & 63] = [pair, (pair,), number * 1.5]


def dicts(count: int) -> None:
    """Fills, reads, copies and empties dicts."""
    for number in range(count):
        table: dict[object, int] = {str(key): key for key in range(number, number + 12)}
        for key in tuple(table):
            table[key] += 1
        table.update({number: number})
        copy = dict(table)
        while copy:
            copy.popitem()


def strings(count: int) -> None:
    """Builds, splits, joins and replaces text."""
    for number in range(count * 2):
        text = f"{number:08d}-{number * 3:x}" * 4
        parts = text.split("-")
        ("/".join(parts) + "é").replace("0", "zero").upper().encode()


def json_texts(count: int) -> None:
    """Writes and reads JSON."""
    import json

    for number in range(count // 2):
        record = {"id": number, "tags": ["a", "b", str(number)], "price": number / 7, "at": None}
        json.loads(json.dumps([record, record, {"nested": record}]))


def sorting(count: int) -> None:
    """Sorts lists of numbers and of texts."""
    for number in range(count // 8):
        numbers = [(key * 7919 + number) % 1009 for key in range(60)]
        numbers.sort()
        sorted(map(str, numbers), reverse=True)


def comprehension(count: int) -> None:
    """List, set and dict comprehensions, and a generator."""
    for number in range(count // 2):
        squares = [key * key for key in range(number, number + 30)]
        odd = {key for key in squares if key & 1}
        names = {key: (key,) for key in odd}
        sum(key for key in names)


def method_calls(count: int) -> None:
    """Calls methods and built-ins."""
    pair = _Pair(1, None)
    for number in range(count * 12):
        pair.swap(number)
        isinstance(pair.swap(-number), int)
        max(number, pair.left)


def exceptions(count: int) -> None:
    """Raises and catches."""
    empty: dict[str, int] = {}
    for number in range(count * 6):
        try:
            if number & 1:
                raise ValueError(number)
            empty["absent"]
        except (ValueError, KeyError) as error:
            str(error)


def big_lists(count: int) -> None:
    """Grows, slices and drops lists and byte strings beyond the small block sizes."""
    for number in range(count // 8):
        items: list[int] = []
        for key in range(400):
            items.append(key)  # not extend: growth by reallocation is the point
        items += items[: 100 + number % 50]
        del items[::2]
        bytes(3000 + number)


LOOPS: tuple[Callable[[int], None], ...] = (
    object_churn,
    dicts,
    strings,
    json_texts,
    sorting,
    comprehension,
    method_calls,
    exceptions,
    big_lists,
)


def _bring_about(state: str) -> object:
    """Brings the process into one of `STATES`; returns what must stay alive."""
    if state in STATES[:2]:
        return None
    from frozen_arena import frozen_arena

    if state == "imported":
        return None
    with frozen_arena("before the loops"):
        return [{"number": number, "text": f"text {number}"} for number in range(3000)]


def main() -> None:
    """Runs one loop in one state."""
    name, count, state = sys.argv[1:]
    kept = _bring_about(state)
    gc.collect()
    gc.disable()
    next(loop for loop in LOOPS if loop.__name__ == name)(int(count))
    del kept


if __name__ == "__main__":
    main()
