"""The bodies of ``frozen-arena pack``, ``info``, ``verify`` and ``run --image``."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from frozen_arena.errors import ImageError
from frozen_arena.imaging import file as file_format

__all__ = ["check", "describe", "pack", "settle"]

_ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)
_ASK = 0xFFFFFFFF
_SEED = "PYTHONHASHSEED"
_SETTLED = "_FROZEN_ARENA_SETTLED"


def _stand_still() -> bool:
    """Programs that are started from here on have their libraries at the usual addresses."""
    libc = ctypes.CDLL(None)
    now = libc.personality(ctypes.c_ulong(_ASK))
    if now == -1:
        return False
    return bool(libc.personality(ctypes.c_ulong(now | _ADDR_NO_RANDOMIZE)) != -1)


def _stands_still() -> bool:
    now = ctypes.CDLL(None).personality(ctypes.c_ulong(_ASK))
    return bool(now != -1 and now & _ADDR_NO_RANDOMIZE)


def settle(command: list[str]) -> None:
    """Runs `command` in place of this process, with a fixed hash seed and fixed addresses.

    The seed is that of the environment, or 0. Where the kernel refuses fixed addresses
    (personality(2)) they stay random, and images are patched as they are opened.
    """
    if not os.environ.get(_SEED, "").isdigit():
        os.environ[_SEED] = "0"
    _stand_still()
    sys.stdout.flush()
    os.execv(command[0], command)


def settle_this() -> None:
    """Starts this program anew as `settle` does, unless it was, or need not be."""
    if _SETTLED in os.environ:
        del os.environ[_SETTLED]
        return
    if os.environ.get(_SEED, "").isdigit() and _stands_still():
        return
    os.environ[_SETTLED] = "1"
    settle(
        sys.orig_argv
        if Path(sys.orig_argv[0]).is_absolute()
        else [sys.executable, *sys.orig_argv[1:]]
    )


def pack(name: str, path: Path, show_progress: bool) -> dict[str, Any]:
    """Calls MODULE:CALLABLE, packs what it returns, and saves it.

    Raises:
        TargetError: of `frozen_arena.measuring.target`.
        ImageError: what `Arena.save` raises.
        TypeError: what `frozen_arena.pack` raises.
    """
    import frozen_arena
    from frozen_arena.measuring import target

    data = target.call(name, target.find(name))
    begun = time.perf_counter()
    arena = frozen_arena.pack(data, name)
    packed = time.perf_counter()
    del data
    if show_progress:
        from rich.progress import Progress

        with Progress(transient=True) as progress:
            task = progress.add_task("writing", total=None)
            arena.save(
                path, progress=lambda done, all_: progress.update(task, completed=done, total=all_)
            )
    else:
        arena.save(path)
    assert arena.packed is not None
    return {
        "path": str(path),
        "file_bytes": path.stat().st_size,
        "packed": arena.packed.to_dict(),
        "pack_seconds": packed - begun,
        "save_seconds": time.perf_counter() - packed,
    }


def describe(path: Path) -> dict[str, Any]:
    """What the file says of itself, and whether it fits this process.

    Raises:
        ImageError: it is no image, or damaged.
    """
    name = str(path)
    descriptor = _opened(path)
    try:
        description = file_format.read_description(name, descriptor)
        size = os.fstat(descriptor).st_size
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    try:
        file_format.refuse_unless_fitting(name, description.facts)
        obstacle = None
    except ImageError as error:
        obstacle = str(error)
    facts = description.facts
    return {
        "path": name,
        "file_bytes": size,
        "objects": description.objects,
        "objects_bytes": description.objects_bytes,
        "payload_bytes": description.payload_bytes,
        "address": f"{description.base:#x}",
        "saved": facts.get("saved"),
        "python": facts.get("identity", {}).get("python"),
        "refers_to": [
            ".".join(filter(None, map(str, one["reference"][1:])))
            for one in description.externals
            if one["reference"][0] == "name"
        ],
        "words_outside": sum(one["count"] for one in description.externals),
        "obstacle": obstacle,
    }


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(f"{path} cannot be opened: {error.strerror}") from error


def check(path: Path) -> int:
    """Compares all of the file with its digests; bytes of the body.

    Raises:
        ImageError: the first thing that is not as it was saved.
    """
    name = str(path)
    descriptor = _opened(path)
    try:
        description = file_format.read_description(name, descriptor)
        file_format.verify_body(name, descriptor, description)
        return description.size
    except OSError as error:
        raise ImageError(f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
