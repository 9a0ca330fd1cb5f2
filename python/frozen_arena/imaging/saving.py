"""Saving: from a packed arena to a file."""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import secrets
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from frozen_arena._support import core, reason_unsupported
from frozen_arena.arena import Arena
from frozen_arena.errors import ArenaStateError, ImageError, Unsupported
from frozen_arena.imaging import file as file_format
from frozen_arena.imaging.file import BODY, CHUNK
from frozen_arena.imaging.names import build_of_library, facts_of_type, reference_to

__all__ = ["save"]

# Below the arenas (arena/address_space.cc), above what AddressSanitizer takes, and far from where
# Linux puts anything by itself. Each image has its own place there, by chance: of ten images of a
# GiB two collide once in some hundred times.
_FIRST_ADDRESS = 0x1001_0000_0000
_LAST_ADDRESS = 0x2000_0000_0000
_GRANULE = 2 * 1024 * 1024

_KEEP_OUT = "keep it outside the data, or give pack a reducer that makes something plain of it"


def _step(parent: Any, child: Any) -> str:
    """How one writes the way from an object to one that it refers to."""
    if child is type(parent):
        return ".__class__"
    if isinstance(parent, (list, tuple)):
        for number, item in enumerate(parent):
            if item is child:
                return f"[{number}]"
    if isinstance(parent, dict):
        for key, value in parent.items():
            if value is child:
                return f"[{key!r}]"
            if key is child:
                return f" (its key {key!r})"
    if isinstance(parent, (set, frozenset)):
        return f" (its item {child!r})"
    for name in (
        *getattr(parent, "__dict__", {}),
        *(slot for kind in type(parent).__mro__ for slot in kind.__dict__.get("__slots__", ())),
    ):
        if getattr(parent, name, None) is child:
            return f".{name}"
    return " > "


def _place(chain: list[Any]) -> str:
    steps = [_step(parent, child) for parent, child in pairwise(chain)]
    if len(steps) > 12:
        steps = [*steps[:6], " ... ", *steps[-6:]]
    return "root" + "".join(steps)


def _refusal(chain: list[Any], reason: str) -> ImageError:
    """For the last object of the chain."""
    try:
        place = _place(chain)
    except Exception:  # code of the data's own
        place = "root ..."
    return ImageError(f"{place}: {reason}")


def _external(
    writer: Any, index: int, obj: Any, address: int, count: int
) -> tuple[dict[str, Any], str | None]:
    """The record of something outside the image, and the build of its library, if it is a type."""
    record: dict[str, Any] = {"address": address, "count": count}
    if index == 0:
        return record | {"reference": ["empty keys"]}, None
    reference = reference_to(obj)
    if reference is None:
        chain = writer.chain_to(obj)
        if isinstance(obj, type):
            name = f"{obj.__module__}.{obj.__qualname__}"
            raise _refusal(
                chain, f"the class {name} cannot be imported by that name; define it in a module"
            )
        kind = f"{type(obj).__module__}.{type(obj).__qualname__}"
        raise _refusal(chain, f"a {kind.removeprefix('builtins.')} cannot be saved; {_KEEP_OUT}")
    record["reference"] = reference
    if not isinstance(obj, type):
        return record, None
    return record | {"facts": facts_of_type(obj)}, build_of_library(obj)


def _make_room(descriptor: int, size: int) -> None:
    """Makes the file as long as that, with memory behind it: what is mapped must not run out."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        zeros = bytes(1 << 20)
        for place in range(0, size, len(zeros)):
            os.pwrite(descriptor, zeros[: size - place], place)


def _pwrite_all(descriptor: int, data: bytes, place: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, place)
        view = view[written:]
        place += written
    return place


@contextlib.contextmanager
def _replacement(path: Path) -> Iterator[int]:
    """A new file that takes the place of `path` when the block ends well, whole or not at all."""
    name = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    # Read-only from the start: whoever writes to an image writes to the memory of others.
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        yield descriptor
        os.fsync(descriptor)
        name.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            name.unlink()
        raise
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(descriptor: int, writer: Any, progress: Callable[[int, int], None] | None) -> None:
    (objects, live_objects), (payload, live_payload) = writer.lanes
    body = objects + payload
    room = (_LAST_ADDRESS - _FIRST_ADDRESS - body) // _GRANULE
    base = _FIRST_ADDRESS + secrets.randbelow(room) * _GRANULE
    _make_room(descriptor, BODY + body)
    digests = bytearray()
    with mmap.mmap(descriptor, BODY + body) as memory, memoryview(memory) as whole:
        with whole[BODY:] as view:
            if not writer.write(view, base):
                raise _refusal(writer.chain, f"cannot be saved: {writer.refusal}")
            for begin in range(0, body, CHUNK):
                with view[begin : begin + CHUNK] as piece:
                    digests += bytes.fromhex(file_format.digest(piece))
                if progress is not None:
                    progress(min(begin + CHUNK, body), body)
        memory.flush()
    externals: list[dict[str, Any]] = []
    builds: dict[str, int] = {}
    for index, (obj, address, count) in enumerate(writer.externals):
        record, build = _external(writer, index, obj, address, count)
        if build is not None:
            record["build"] = builds.setdefault(build, len(builds))
        externals.append(record)
    place = BODY + body
    tables = {}
    contents = {
        "areas": writer.areas,
        "checks": writer.checks,
        "words": writer.words,
        "digests": bytes(digests),
    }
    for name in file_format.TABLES:
        data = contents[name]
        tables[name] = [place, len(data), file_format.digest(data)]
        place = _pwrite_all(descriptor, data, place)
    facts = {
        "identity": file_format.identity(),
        "id": secrets.token_hex(16),
        "saved": time.time(),
        "base": base,
        "objects_bytes": objects,
        "payload_bytes": payload,
        "live": [live_objects, live_payload],
        "objects": writer.objects,
        "blocks": writer.blocks,
        "root": writer.root_place,
        "tables": tables,
        "builds": list(builds),
        "externals": externals,
    }
    text = json.dumps(facts).encode()
    _pwrite_all(descriptor, text, place)
    _pwrite_all(descriptor, file_format.head_of(place, text), 0)


def save(
    arena: Arena,
    path: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """What `Arena.save` does, which see."""
    native = core()
    if native is None:
        raise Unsupported(str(reason_unsupported()))
    if arena.packed is None or arena.state != "sealed":
        raise ArenaStateError(
            "an image is made of what pack returns: frozen_arena.pack(data).save(path)"
        )
    target = Path(os.fspath(path)).absolute()
    writer = native.ImageWriter(arena._handle, arena.root)
    if writer.refusal is not None:
        raise _refusal(writer.chain, f"cannot be saved: {writer.refusal}")
    # Before the file is made: what cannot be named is the usual refusal.
    for obj, _, _ in writer.externals[1:]:
        _external(writer, 1, obj, 0, 0)
    try:
        with _replacement(target) as descriptor:
            _write(descriptor, writer, progress)
    except OSError as error:
        raise ImageError(
            f"{target} could not be written, and what was there is still there: "
            f"{error.strerror or error}; make room, or choose another folder"
        ) from error
