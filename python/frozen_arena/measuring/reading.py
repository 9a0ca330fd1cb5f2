"""What a worker does to data that it only reads, for data of which nothing is known.

`read` walks everything that can be reached, once, and on each object does what reading programs do:
iterate, look up, hash, load attributes. Modules, types, functions and frames are program and not
data; the walk stops there.
"""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Composition", "read"]

_PROGRAM: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.CodeType,
    types.FrameType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
_PLAIN: Final = (str, bytes, int, float, complex, bool, type(None))
_CHUNK_BITS: Final = 20  # 2^20 addresses, 16 bytes apart: a chunk of notes takes 8 KiB
_OS_PAGE: Final = 4096


@dataclass(slots=True)
class Composition:
    """What there was to read. Bytes are those of the objects that were counted.

    Attributes:
        objects: everything that was read, plain values once for each reference.
        buffer_bytes: of arrays, data frames, `bytes`, `bytearray`, `array`, `memoryview`: memory
            without reference counts inside, which `fork()` shares already.
        buffers: the same by type.
    """

    objects: int = 0
    buffers: dict[str, int] = field(default_factory=dict)

    @property
    def buffer_bytes(self) -> int:
        """All buffers together."""
        return sum(self.buffers.values())


def read(root: Any) -> Composition:
    """Reads `root` and all that it leads to. Changes nothing, and holds nothing afterwards."""
    found = Composition()
    notes: dict[int, bytearray] = {}
    waiting = [iter((root,))]
    while waiting:
        for item in waiting[-1]:
            found.objects += 1
            kind = type(item)
            if kind in _PLAIN:
                hash(item)
                if kind is bytes:
                    _count(found, item, len(item))
            elif not isinstance(item, _PROGRAM) and _is_new(notes, id(item)):
                waiting.append(iter(_inside(item, found)))
                break
        else:
            waiting.pop()
    return found


def _is_new(notes: dict[int, bytearray], address: int) -> bool:
    """True the first time; a bit for each 16 bytes of memory, so that notes stay small."""
    bits = notes.get(address >> _CHUNK_BITS)
    if bits is None:
        bits = notes[address >> _CHUNK_BITS] = bytearray(1 << (_CHUNK_BITS - 7))
    place = (address & ((1 << _CHUNK_BITS) - 1)) >> 4
    mask = 1 << (place & 7)
    if bits[place >> 3] & mask:
        return False
    bits[place >> 3] |= mask
    return True


def _inside(item: Any, found: Composition) -> Iterable[Any]:
    """What an object holds."""
    if isinstance(item, dict):
        return _items(item)
    if isinstance(item, (list, tuple, set, frozenset)):
        return item
    _hash(item)
    columns = _columns(item)
    if columns is not None:
        return columns
    if _read_buffer(item, found):
        return ()
    # Attributes of an instance as they lie, without making its __dict__, which would be a write.
    return gc.get_referents(item)


def _items(item: dict[Any, Any]) -> Iterable[Any]:
    for key in item:
        yield key
        yield item[key]  # looks it up, as programs do


def _hash(item: Any) -> None:
    try:
        hash(item)
    except Exception:  # cannot be hashed, or its __hash__ wants something else
        return


def _columns(item: Any) -> Iterable[Any] | None:
    """The columns of something like a data frame; None for everything else."""
    if not hasattr(type(item), "to_numpy") or not hasattr(type(item), "columns"):
        return None
    try:
        return [item[name].to_numpy() for name in item.columns]
    except Exception:
        return None


def _read_buffer(item: Any, found: Composition) -> bool:
    """Reads a byte of each OS page of a buffer; False when it is none, or one of references."""
    if getattr(getattr(item, "dtype", None), "hasobject", False):
        return False
    try:
        with memoryview(item) as view:
            size = view.nbytes
            if view.contiguous and size:
                flat = view.cast("B") if view.c_contiguous else None
                if flat is not None:
                    for start in range(0, size, _OS_PAGE):
                        flat[start]
                    flat.release()
    except (TypeError, ValueError, BufferError):
        return False
    _count(found, item, size)
    return True


def _count(found: Composition, item: Any, size: int) -> None:
    kind = type(item)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _named(kind)
    found.buffers[name] = found.buffers.get(name, 0) + size


def _named(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
