"""Says which objects lie behind copied OS pages: for children that copied more than nothing.

The sealed file stays mapped a second time, read-only, so every copied page can be compared with its
original, word by word. A word that differs is then looked for in the objects that the root leads
to. This walk needs memory and is slow; it runs after everything has been measured.
"""

from __future__ import annotations

import ctypes
import gc
from bisect import bisect_left
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.memory import OS_PAGE, Mapping, mappings

_WORD = 8
_ENTRY = 8  # bytes of an entry in /proc/PID/pagemap
_PRESENT = 1 << 63
_OF_THE_FILE = 1 << 61
_REACH = 8  # words before a changed one that are searched for a type
_HEAD = 16  # bytes of the collector's head before an object


def describe(root: Any, limit: int) -> list[str]:
    """Describes what differs from the sealed originals, a line for each word.

    Args:
        root: Where the walk over the objects begins.
        limit: Words at most.

    Returns:
        For each place (type of the object and offset in it) how many words, and the first of them.
    """
    changed = _changed_words(limit)
    named = _name(root, sorted(changed))
    types = _all_types()
    groups: dict[str, list[str]] = {}
    for address, (before, now) in changed.items():
        where = named.get(address) or _guess(address, types)
        groups.setdefault(where, []).append(f"{before:#x} -> {now:#x}")
    return [f"{where}: {len(pairs)} words, {pairs[0]}" for where, pairs in groups.items()]


def _all_types() -> dict[int, type]:
    """Every type of the process, by address."""
    types: dict[int, type] = {id(object): object}
    level = [object]
    while level:
        found = [one for kind in level for one in type.__subclasses__(kind)]
        level = [one for one in found if id(one) not in types]
        types.update((id(one), one) for one in level)
    return types


def _guess(address: int, types: dict[int, type]) -> str:
    """For a word no object was found for: the nearest header before it on its OS page, if any."""
    page = address - address % OS_PAGE
    words = _words(page)
    here = (address - page) // _WORD
    for place in range(here, max(-1, here - _REACH), -1):
        kind = types.get(words[place + 1]) if place + 1 < len(words) else None
        if kind is not None:
            offset = (here - place) * _WORD
            return f"likely {kind.__module__}.{kind.__qualname__}{offset:+d}, not from the root"
    return f"no object, OS page {page // OS_PAGE:#x}"


def _changed_words(limit: int) -> dict[int, tuple[int, int]]:
    """Addresses of words in copied OS pages that differ, with the value before and now."""
    arenas = [mapping for mapping in mappings() if mapping.is_memfd]
    originals = [mapping for mapping in arenas if "w" not in mapping.permissions]
    changed: dict[int, tuple[int, int]] = {}
    for mapping in arenas:
        if "w" not in mapping.permissions:
            continue
        for page in _copied_pages(mapping):
            original = _original_of(mapping, page, originals)
            if original is None:
                continue
            before, now = _words(original), _words(page)
            for place, pair in enumerate(zip(before, now, strict=True)):
                if pair[0] != pair[1] and len(changed) < limit:
                    changed[page + place * _WORD] = pair
    return changed


def _copied_pages(mapping: Mapping) -> list[int]:
    """Addresses of the OS pages of an arena mapping that are this process's own."""
    count = (mapping.end - mapping.start) // OS_PAGE
    with Path("/proc/self/pagemap").open("rb") as pagemap:
        pagemap.seek(mapping.start // OS_PAGE * _ENTRY)
        entries = memoryview(pagemap.read(count * _ENTRY)).cast("Q")
    return [
        mapping.start + place * OS_PAGE
        for place, entry in enumerate(entries)
        if entry & _PRESENT and not entry & _OF_THE_FILE
    ]


def _original_of(mapping: Mapping, page: int, originals: list[Mapping]) -> int | None:
    """Address at which the sealed original of a page is mapped, if it is."""
    offset = page - mapping.start + mapping.offset
    for other in originals:
        if other.inode == mapping.inode and 0 <= offset - other.offset < other.end - other.start:
            return other.start + offset - other.offset
    return None


def _words(page: int) -> memoryview:
    return memoryview(ctypes.string_at(page, OS_PAGE)).cast("Q")


def _name(root: Any, addresses: list[int]) -> dict[int, str]:
    """Finds the objects in which `addresses` lie, among all that `root` leads to."""
    named: dict[int, str] = {}
    seen = {id(root)}
    level = [root]
    while level and len(named) < len(addresses):
        for item in level:
            start = id(item)
            place = bisect_left(addresses, start - _HEAD)
            end = start + object.__sizeof__(item)  # sizeof of a frame adds up its columns
            while place < len(addresses) and addresses[place] < end:
                address = addresses[place]
                kind = f"{type(item).__module__}.{type(item).__qualname__}"
                named[address] = f"{kind}{address - start:+d}"
                place += 1
        found = {id(other): other for item in level for other in gc.get_referents(item)}
        level = [
            other
            for number, other in found.items()
            if number not in seen and not isinstance(other, (type, ModuleType))
        ]
        seen.update(map(id, level))
    return named
