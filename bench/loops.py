"""Nine ordinary loops, and one process that runs one of them: what `outside` counts.

Run as ``python -m bench.loops LOOP COUNT STATE``. Imports as little as it can, because all of it
runs under valgrind. The collector is off, so that what it does at which allocation is no part of
the count: the package changes nothing in it outside a block.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial

STATES = (
    "never imported",
    "the same, moved",
    "imported",
    "after a sealed block",
    "after writes were traced",
)


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
    with frozen_arena("before the loops") as arena:
        data = [{"number": number, "text": f"text {number}"} for number in range(3000)]
    if state == STATES[4]:
        with arena.trace_writes() as writes:
            data[0]["number"] = None
        assert writes, "nothing was traced"
    return data


_WARM_UP = 80  # rounds
_POOL = 1 << 14  # bytes; this and the next are CPython's, Objects/obmalloc.c
_POOLED = range(48, 513, 16)  # size classes, as far as there is a type for each size
_BYTES_HEADER = sys.getsizeof(b"")
_MAKERS: tuple[tuple[int, Callable[[], object]], ...] = (
    (16, object),
    (32, partial(complex, 1, 1)),
    *((size, partial(bytes, size - _BYTES_HEADER)) for size in _POOLED),
)
_IN_A_ROW = 8
_STRAY = 12  # blocks that may become free in full pools after these were filled
_MOST = 1 << 15  # objects of one size


def _settle(kept: list[object]) -> None:
    """Has each size class of pymalloc go on in the first half of a pool.

    A loop that takes the last free block of a pool and frees it again pays for that in every round,
    1 % of some loops. Which loop does depends on all that was allocated before, by whomever.

    Args:
        kept: takes what must stay alive; has room, for a list that grows frees small blocks.
    """
    place = 0
    for size, make in _MAKERS:
        for count in range(_MOST):
            kept[place] = make()
            place += 1
            if count >= _IN_A_ROW and _has_room(kept, place - _IN_A_ROW, size):
                break
    for _, make in _MAKERS:
        for _ in range(_STRAY):
            kept[place] = make()
            place += 1


def _has_room(kept: list[object], place: int, size: int) -> bool:
    """Whether objects of `size` bytes, from `place` on, follow one another and end early."""
    first = id(kept[place])
    for number in range(_IN_A_ROW):
        if id(kept[place + number]) != first + number * size:
            return False
    return (first + _IN_A_ROW * size) % _POOL < _POOL // 2


def main() -> None:
    """Runs one loop in one state."""
    name, count, state = sys.argv[1:]
    kept = [_bring_about(state)]
    settled = [None] * (_MOST * 2)
    gc.collect()
    gc.disable()
    loop = next(loop for loop in LOOPS if loop.__name__ == name)
    loop(_WARM_UP)
    _settle(settled)
    loop(int(count))
    del kept, settled


if __name__ == "__main__":
    main()
