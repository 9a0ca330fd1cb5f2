"""Explanations: what differs on the copied OS pages of a process, why, and what to do about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from frozen_arena._support import core, reason_unsupported
from frozen_arena.errors import Unsupported
from frozen_arena.explaining.causes import cause_of, label_of
from frozen_arena.explaining.directory import Directory, Extent, SealedArena, entry_number
from frozen_arena.explaining.naming import Namer, Place
from frozen_arena.explaining.process import NotReadable, Process

__all__ = ["Change", "Explanation", "explain_own", "explain_process", "name_words", "own_process"]

_EXAMPLES = 3
# What tells one of many from another: left out where changes are grouped.
_ONE_OF_MANY = re.compile(
    r"\[-?\d+\]|(?<=\+)\d+$|(?<=key ).*|(?<=value of ).*|(?<=node of ).*(?=\.)"
)


@dataclass(frozen=True, slots=True)
class Change:
    """Words that differ for one reason: the same field of objects of the same type.

    Attributes:
        lane: ``"objects"`` or ``"payload"``.
        type: ``module.qualname``; ``""`` when no object is known.
        field: ``"reference count"``, ``"hash"``, ``"Record.name"``, ``"items[3]"``, or
            ``"items[]"`` for several, ``"value of 'key'"`` ...; ``"unknown"`` when not known.
        kind: what the field is, as the layout table has it; ``"unknown"``.
        immortal: the objects were immortal when they were sealed.
        objects: how many; 0 when none is known.
        words: words of 8 bytes that differ.
        os_pages: OS pages on which this occurs; several changes may share one.
        os_pages_counted: of these, the ones that no change before this one in the list has: over
            all changes they add up to the OS pages that differ.
        why: the cause, a sentence.
        remedy: what to do, a sentence, or ``""``.
        examples: up to three: place, value at the seal and now.
    """

    lane: str
    type: str
    field: str
    kind: str
    immortal: bool
    objects: int
    words: int
    os_pages: int
    os_pages_counted: int
    why: str
    remedy: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a process has copied of sealed arenas, and why.

    ``private_os_pages == changed_os_pages + same_os_pages + not_compared_os_pages``,
    ``changed_os_pages`` is the sum of ``os_pages_counted`` over `changes`, and ``words ==
    named_words + unknown_words`` is the sum of ``words`` over `changes`.

    Attributes:
        pid: the process that was looked at.
        python: its Python version, ``""`` without a sealed arena.
        arenas: how many sealed arenas were looked at.
        private_os_pages: OS pages that the process has copied.
        changed_os_pages: of these, the ones that differ from what was sealed.
        same_os_pages: the ones that say the same again: ``reshare()`` gives them back.
        not_compared_os_pages: the ones without a pristine copy, or gone while they were looked at.
        words: words of 8 bytes that differ.
        named_words: of these, the ones of which object and field are known.
        unknown_words: the others.
        changes: by cause, most OS pages first.
        not_explained: sentences on what could not be looked at.
        limit: how many changes are printed; the rest is summed up in a line. None: all.
    """

    pid: int
    python: str
    arenas: int
    private_os_pages: int
    changed_os_pages: int
    same_os_pages: int
    not_compared_os_pages: int
    words: int
    named_words: int
    unknown_words: int
    changes: tuple[Change, ...]
    not_explained: tuple[str, ...] = ()
    limit: int | None = 20

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON; with all changes."""
        return asdict(self)

    def __str__(self) -> str:
        from frozen_arena.explaining.printing import as_text

        return as_text(self)


@dataclass(frozen=True, slots=True)
class _Difference:
    """A word that differs."""

    page: int
    address: int
    first: int
    before: int
    now: int


@dataclass(slots=True)
class _Pages:
    private: int = 0
    changed: int = 0
    same: int = 0
    not_compared: int = 0


def _general(label: str) -> str:
    """``items[]`` for ``items[3]``, ``value of ...`` for ``value of 'name'``."""
    return _ONE_OF_MANY.sub(lambda found: "[]" if found[0][0] == "[" else "...", label)


class _Group:
    """Words of one change, as they come in."""

    def __init__(self, place: Place, field: str) -> None:
        self.place = place
        self.field = field
        self.objects: set[int] = set()
        self.pages: set[int] = set()
        self.words = 0
        self.examples: list[str] = []

    def add(self, place: Place, difference: _Difference) -> None:
        self.words += 1
        if self.field != label_of(place):
            self.field = _general(self.field)
        self.pages.add(difference.page)
        if place.object:
            self.objects.add(place.object)
        if len(self.examples) < _EXAMPLES:
            where = label_of(place) if place.known else f"{place.address:#x}"
            self.examples.append(f"{where}: {difference.before:#x} -> {difference.now:#x}")


def explain_process(
    process: Process, directory: Directory, numbers: Iterable[int] | None, limit: int | None
) -> Explanation:
    """Explains what a process has copied.

    Args:
        process: the one to look at.
        directory: of that process.
        numbers: of the arenas to look at; None is all of them.
        limit: how many changes are printed.

    Raises:
        NotReadable: the process is gone, or changed its arenas while it was looked at.
    """
    chosen = None if numbers is None else set(numbers)
    arenas = [one for one in directory.arenas if chosen is None or one.number in chosen]
    pid = process.pid or 0
    if not arenas:
        return Explanation(pid, "", 0, 0, 0, 0, 0, 0, 0, 0, (), (), limit)
    namer = Namer(process, directory)
    pages = _Pages()
    notes: list[str] = []
    differences: list[_Difference] = []
    for arena in arenas:
        _compare(namer, arena, pages, differences, notes)
    places = namer.places([(one.address, one.first) for one in differences])
    changes = _grouped(namer, places, differences)
    named = sum(change.words for change in changes if change.kind != "unknown")
    return Explanation(
        pid,
        namer.layout.python,
        len(arenas),
        pages.private,
        pages.changed,
        pages.same,
        pages.not_compared,
        len(differences),
        named,
        len(differences) - named,
        changes,
        tuple(notes),
        limit,
    )


def _compare(
    namer: Namer,
    arena: SealedArena,
    pages: _Pages,
    differences: list[_Difference],
    notes: list[str],
) -> None:
    """Adds what differs in one arena."""
    if not arena.complete:
        notes.append(
            f"arena {arena.number}: there was no memory to describe all of it when it was sealed"
        )
    for extent in arena.extents:
        private = namer.private_os_pages(extent)
        pages.private += len(private)
        if private and not extent.pristine:
            pages.not_compared += len(private)
            notes.append(
                f"arena {arena.number}: {extent.size // namer.process.os_page:,} OS pages of the "
                f"{extent.lane} lane lie behind no sealed file, so there is nothing to compare "
                f"{len(private):,} private ones with (FreezeReport.unsealed_bytes)"
            )
            continue
        for page in private:
            _compare_page(namer, extent, page, pages, differences)


def _compare_page(
    namer: Namer, extent: Extent, page: int, pages: _Pages, differences: list[_Difference]
) -> None:
    native = core()
    assert native is not None
    size = namer.process.os_page
    try:
        now = namer.process.read(page, size)
        before = namer.pristine(extent, page, size)
    except NotReadable:
        pages.not_compared += 1
        return
    if now == before:
        pages.same += 1
        return
    pages.changed += 1
    for number in memoryview(native.differing_words(now, before)).cast("Q"):
        at = number * 8
        old = int.from_bytes(before[at : at + 8], "little")
        new = int.from_bytes(now[at : at + 8], "little")
        change = old ^ new
        first = ((change & -change).bit_length() - 1) // 8
        differences.append(_Difference(page, page + at, first, old, new))


def _grouped(
    namer: Namer, places: list[Place], differences: list[_Difference]
) -> tuple[Change, ...]:
    groups: dict[tuple[str, str, str, str, bool], _Group] = {}
    for place, difference in zip(places, differences, strict=True):
        label = label_of(place)
        key = (place.lane, place.type, _general(label), place.kind, place.immortal)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(place, label)
        group.add(place, difference)
    has_immortal = bool(namer.layout["has_immortal"])
    seen: set[int] = set()
    changes = []
    ranked = sorted(groups.values(), key=lambda one: (-len(one.pages), -one.words, one.field))
    for group in ranked:
        cause = cause_of(group.place, has_immortal)
        place = group.place
        changes.append(
            Change(
                place.lane,
                place.type,
                group.field,
                place.kind,
                place.immortal,
                len(group.objects),
                group.words,
                len(group.pages),
                len(group.pages - seen),
                cause.why,
                cause.remedy,
                tuple(group.examples),
            )
        )
        seen |= group.pages
    return tuple(changes)


def own_process() -> tuple[Process, Directory]:
    """The calling process and its directory; the caller closes the former.

    Raises:
        Unsupported: arenas do not work here, or ``/proc/self/mem`` cannot be read.
    """
    native = core()
    if native is None:
        raise Unsupported(reason_unsupported() or "arenas do not work here")
    try:
        process = Process()
    except OSError as error:
        raise Unsupported(
            f"{error.filename} cannot be read ({error.strerror}); mount /proc to explain"
        ) from error
    try:
        return process, Directory(process, native.directory())
    except NotReadable as error:
        process.close()
        raise Unsupported(f"the memory of this process cannot be read: {error}") from error


def explain_own(entries: Iterable[int], limit: int | None) -> Explanation:
    """Explains what the calling process has copied.

    Args:
        entries: addresses of the directory entries of the arenas to look at.
        limit: how many changes are printed.

    Raises:
        Unsupported: ``/proc/self/mem`` or ``/proc/self/pagemap`` cannot be read.
    """
    process, found = own_process()
    with process:
        try:
            numbers = [entry_number(process, entry) for entry in entries]
            explained = explain_process(process, found, numbers, limit)
        except NotReadable as error:
            raise Unsupported(f"the memory of this process cannot be read: {error}") from error
    return replace(explained, pid=os.getpid())


def name_words(addresses: Iterable[int]) -> list[Place]:
    """What the words at `addresses` are: object, type and field, as far as that is known.

    One call for many addresses is much faster than many calls: to find out whose a buffer is, the
    whole objects lane is searched, once a call.

    Args:
        addresses: in sealed arenas of this process; a place in the middle of a word is good too.

    Returns:
        A `Place` for each, in the same order; ``Place.known`` is False, and ``field`` is empty, for
        what nobody knows, addresses in no sealed arena among them.

    Raises:
        Unsupported: arenas do not work here, or ``/proc/self/mem`` cannot be read.
    """
    process, found = own_process()
    with process:
        wanted = [(address - address % 8, address % 8) for address in addresses]
        if not found.layout:
            return [Place(address, "") for address, _ in wanted]
        try:
            return Namer(process, found).places(wanted)
        except NotReadable as error:
            raise Unsupported(f"the memory of this process cannot be read: {error}") from error
