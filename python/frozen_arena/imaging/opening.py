"""Opening: from a file to objects in memory."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from frozen_arena._support import core
from frozen_arena.arena import Arena, remember
from frozen_arena.errors import ImageError
from frozen_arena.images import ImageReport
from frozen_arena.imaging import file as file_format
from frozen_arena.imaging.file import BODY, Description
from frozen_arena.imaging.names import build_of_library, facts_of_type, find

__all__ = ["open_path"]

_open: dict[str, tuple[Arena, Any, ImageReport]] = {}
"""By the id in the file: an image is mapped once in a process, where its addresses say."""

_mapping = threading.RLock()
"""One thread maps at a time; what comes second finds the image in `_open`. Nothing is imported with
the lock held: whoever imports may be waited for by another import."""


def _renew_lock() -> None:
    global _mapping
    _mapping = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)  # a thread that held it is not in the child


def _find_externals(name: str, description: Description) -> list[Any]:
    builds = description.facts.get("builds")
    found = []
    for external in description.externals[1:]:
        reference = external["reference"]
        try:
            obj = find(reference)
        except Exception as error:
            raise ImageError(
                f"{name} refers to {'.'.join(map(str, reference[1:]))}, not to be had here "
                f"({type(error).__name__}: {error}); make it importable, or save the image again"
            ) from error
        if "facts" in external:
            what = f"the class {'.'.join(filter(None, map(str, reference[1:])))}"
            if not isinstance(obj, type) or facts_of_type(obj) != external["facts"]:
                raise ImageError(
                    f"{name}: {what} is laid out differently now; save the image again"
                )
            number = external.get("build")
            if (
                type(builds) is not list
                or type(number) is not int
                or not 0 <= number < len(builds)
                or builds[number] != build_of_library(obj)
            ):
                raise ImageError(
                    f"{name}: {what} comes from another build of its library now; "
                    "save the image again"
                )
        found.append(obj)
    return found


def _map(native: Any, name: str, descriptor: int, description: Description, handle: Any) -> None:
    areas = file_format.read_table(name, descriptor, description, "areas")
    places = (
        description.base,
        BODY,
        description.objects_bytes,
        description.live[0],
        description.payload_bytes,
        description.live[1],
    )
    handle.begin_block(False)  # the hooks: frees and reallocations of what lies there
    try:
        result = native.map_image(handle, descriptor, places, areas, description.blocks)
    except ValueError as error:
        raise file_format.damaged(name, str(error)) from None
    finally:
        handle.end_block()
    if result == "occupied":
        raise ImageError(
            f"{name} lies at addresses that are taken in this process: open it earlier, or save it "
            "again, which gives it another place"
        )
    if result != "mapped":
        raise ImageError(
            f"{name} could not be mapped at {description.base:#x}: the kernel gives no memory "
            "there (RLIMIT_AS, or an address space of less than 47 bits)"
        )


def _relocate(
    native: Any,
    name: str,
    descriptor: int,
    description: Description,
    handle: Any,
    found: list[Any],
) -> tuple[int, int]:
    """(what lies elsewhere, words patched)."""
    here = [native.empty_keys_address(), *map(id, found)]
    moved = [
        number
        for number, external in enumerate(description.externals)
        if external["address"] != here[number] and external["count"]
    ]
    if not moved:
        return 0, 0
    words = memoryview(file_format.read_table(name, descriptor, description, "words"))
    starts = [0]
    for external in description.externals:
        starts.append(starts[-1] + 4 * external["count"])
    patched = 0
    for number in moved:
        part = words[starts[number] : starts[number + 1]]
        then = description.externals[number]["address"]
        if not native.patch_image(
            handle, description.base, description.size, part, then, here[number]
        ):
            raise file_format.damaged(name, "the table of words does not fit the body")
        patched += len(part) // 4
    return len(moved), patched


def _hold(native: Any, name: str, description: Description, found: list[Any]) -> None:
    native.hold_empty_keys(description.externals[0]["count"])
    for external, obj in zip(description.externals[1:], found, strict=True):
        if not native.hold(obj, external["count"]):
            raise ImageError(f"{name} has more references to {obj!r} than can be counted")


def _compare_hashes(
    native: Any, name: str, pairs: bytes, description: Description, handle: Any
) -> int:
    if not pairs:
        return 0
    good, key = native.compare_hashes(handle, description.base, description.size, pairs)
    if good:
        return len(pairs) // 8
    raise ImageError(
        f"{name}: the hash of {key!r}, a key or an item of a set, is another one in this process: "
        "use keys that are hashed by their value alone"
    )


def _open_descriptor(
    native: Any, name: str, descriptor: int, verify: bool
) -> tuple[Arena, Any, ImageReport]:
    begun = time.perf_counter()
    description = file_format.read_description(name, descriptor)
    file_format.refuse_unless_fitting(name, description.facts)
    if verify:
        file_format.verify_body(name, descriptor, description)
    identifier = str(description.facts.get("id"))
    if identifier in _open:
        return _open[identifier]
    modules = set(sys.modules)
    found = _find_externals(name, description)
    imported = tuple(sorted(set(sys.modules) - modules))
    with _mapping:
        if identifier in _open:  # by another thread, or by a module that was imported
            return _open[identifier]
        _open[identifier] = _map_and_patch(
            native, name, descriptor, description, found, imported, begun
        )
        return _open[identifier]


def _map_and_patch(
    native: Any,
    name: str,
    descriptor: int,
    description: Description,
    found: list[Any],
    imported: tuple[str, ...],
    begun: float,
) -> tuple[Arena, Any, ImageReport]:
    checks = file_format.read_table(name, descriptor, description, "checks")
    handle = native.Arena(0, False)
    _map(native, name, descriptor, description, handle)
    try:
        moved, patched = _relocate(native, name, descriptor, description, handle, found)
        if not native.checks_fit(handle, description.base, description.size, checks):
            raise file_format.damaged(name, "the table of checks does not fit the body")
        _hold(native, name, description, found)
    except BaseException:
        native.unmap_image(handle)  # nobody has seen it
        raise
    # Code of the keys' own runs here and may keep what it sees: from now on the memory stays.
    checked = _compare_hashes(native, name, checks, description, handle)
    root = native.object_in_image(handle, description.base + description.root)
    arena = Arena(Path(name).name, handle)
    counts = handle.count_os_pages() if patched else None
    private = 0 if counts is None else counts[0][2] + counts[1][2]
    report = ImageReport(
        name,
        description.size,
        description.objects,
        time.perf_counter() - begun,
        imported,
        moved,
        patched,
        private,
        checked,
    )
    remember(arena)
    return arena, root, report


def open_path(path: str | os.PathLike[str], verify: bool) -> tuple[Arena, Any, ImageReport]:
    """What `frozen_arena.open_image` does: the memory, the root, what it took."""
    name = str(Path(os.fspath(path)).absolute())
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(f"{name} cannot be opened: {error.strerror}") from error
    try:
        return _open_descriptor(core(), name, descriptor, verify)
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror or error}") from error
    finally:
        os.close(descriptor)
