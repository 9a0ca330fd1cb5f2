"""Explanations: what differs on the copied OS pages of a process, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from frozen_arena._support import core, reason_unsupported
from frozen_arena.errors import Unsupported
from frozen_arena.explaining.directory import Directory
from frozen_arena.explaining.naming import Namer, Place
from frozen_arena.explaining.process import Process

__all__ = ["name_words"]


def name_words(addresses: Iterable[int]) -> list[Place]:
    """What the words at `addresses` are: object, type and field, as far as that is known.

    One call for many addresses is much faster than many calls: to find out whose a buffer is, the
    whole objects lane is searched, once a call.

    Args:
        addresses: in sealed arenas of this process; a place in the middle of a word is good too.

    Returns:
        A `Place` for each, in the same order; ``Place.known`` is False, and ``type`` and ``field``
        are empty, for what nobody knows, addresses in no sealed arena among them.

    Raises:
        Unsupported: arenas do not work here, or ``/proc/self/mem`` cannot be read.
    """
    native = core()
    if native is None:
        raise Unsupported(reason_unsupported() or "arenas do not work here")
    try:
        process = Process()
    except OSError as error:
        raise Unsupported(f"{error.filename} cannot be read; mount /proc to explain") from error
    with process:
        found = Directory(process, native.directory())
        wanted = [(address - address % 8, address % 8) for address in addresses]
        if not found.layout:
            return [Place(address, "") for address, _ in wanted]
        return Namer(process, found).places(wanted)
