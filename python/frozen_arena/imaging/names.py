"""What an image refers to outside itself, by name: classes, functions, None and the like.

A reference is a list that JSON can hold: ``["name", module, qualname]``, ``["constant", text]``,
``["int", 5]``, ``["str", "a"]``, ``["bytes", 65]``. What it leads to is looked for again in the
process that opens the image, which may run any code, as importing does.
"""

from __future__ import annotations

import enum
import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from frozen_arena._support import core

__all__ = ["build_of_library", "facts_of_type", "find", "reference_to"]

_CONSTANTS: dict[str, object] = {
    "None": None,
    "True": True,
    "False": False,
    "Ellipsis": Ellipsis,
    "NotImplemented": NotImplemented,
    "()": (),
    '""': "",
    'b""': b"",
}
_ALL_BYTES = bytes(range(256))
# Py_TPFLAGS_*: INLINE_VALUES, MANAGED_WEAKREF, MANAGED_DICT, HEAPTYPE, HAVE_GC, and the eight that
# say of which builtin type a class is a subclass.
_LAYOUT_FLAGS = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 9 | 1 << 14 | 0xFF << 24


def _walk(module: str, qualname: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in qualname.split(".") if qualname else ():
        found = getattr(found, part)
    return found


def _names(obj: Any) -> tuple[str, str] | None:
    """Where `obj` says that it can be found."""
    if isinstance(obj, ModuleType):
        return obj.__name__, ""
    if isinstance(obj, enum.Enum):
        kind = type(obj)
        return kind.__module__, f"{kind.__qualname__}.{obj._name_}"
    datetime = sys.modules.get("datetime")
    if datetime is not None and obj is datetime.timezone.utc:
        return "datetime", "timezone.utc"
    owner = getattr(obj, "__objclass__", None)
    module = getattr(obj if owner is None else owner, "__module__", None)
    qualname = getattr(obj, "__qualname__", getattr(obj, "__name__", None))
    if isinstance(module, str) and isinstance(qualname, str):
        return module, qualname
    return None


def reference_to(obj: Any) -> list[Any] | None:
    """The reference that leads to `obj` and nothing else; None where there is none."""
    reference: list[Any]
    for text, constant in _CONSTANTS.items():
        if obj is constant:
            return ["constant", text]
    if type(obj) is int:
        reference = ["int", obj]
    elif type(obj) is str:
        reference = ["str", obj]
    elif type(obj) is bytes and len(obj) == 1:
        reference = ["bytes", obj[0]]
    else:
        try:
            names = _names(obj)
        except Exception:  # code of the object's own
            return None
        if names is None:
            return None
        reference = ["name", *names]
    try:
        return reference if find(reference) is obj else None
    except Exception:  # an import that fails, a name that is not there
        return None


def find(reference: Any) -> Any:
    """What `reference` leads to in this process.

    Raises:
        ValueError: it is no reference.
        Exception: what importing the module raises; AttributeError where it has no such name.
    """
    match reference:
        case ["constant", str(text)] if text in _CONSTANTS:
            return _CONSTANTS[text]
        case ["int", int(number)] if -5 <= number <= 1024:
            return int(str(number))
        case ["str", str(text)] if len(text) == 1 and ord(text) < 256:
            return chr(ord(text))
        case ["bytes", int(number)] if 0 <= number < 256:
            return _ALL_BYTES[number : number + 1]
        case ["name", str(module), str(qualname)] if module:
            return _walk(module, qualname)
    raise ValueError("a reference that is none")


def facts_of_type(kind: type) -> str:
    """A digest of how the instances of `kind` are laid out: sizes, flags, slots, C base."""
    native = core()
    assert native is not None
    facts = (
        kind.__basicsize__,
        kind.__itemsize__,
        kind.__dictoffset__,
        kind.__weakrefoffset__,
        kind.__flags__ & _LAYOUT_FLAGS,
        native.layout_of(kind),
        [base.__qualname__ for base in kind.__mro__ if base.__flags__ & 1 << 9 == 0],
    )
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


_builds: dict[str, str] = {}


def build_of_library(kind: type) -> str:
    """Which build of the interpreter or an extension module has the code of `kind`.

    ``name:id``, by the note that linkers leave, or where they leave none by a digest of the file.
    """
    native = core()
    assert native is not None
    found = native.library_of(kind)
    if found is None:
        return "nowhere:"
    path, build = found
    if not build:
        if path not in _builds:
            with Path(path or "/proc/self/exe").open("rb") as file:
                _builds[path] = hashlib.file_digest(file, "sha256").hexdigest()
        build = _builds[path]
    return f"{path.rpartition('/')[2] or 'the program'}:{build}"
