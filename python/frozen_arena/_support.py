"""Whether this interpreter can have arenas, and why not."""

from __future__ import annotations

import sys
import sysconfig
from types import ModuleType

__all__ = ["core", "is_subinterpreter", "reason_unsupported"]


_NEXT = 'run it under CPython on 64-bit Linux, or pass on_unsupported="ignore"'


def _reason_from_interpreter() -> str | None:
    if sys.implementation.name != "cpython":
        return f"arenas need CPython, and this is {sys.implementation.name}; {_NEXT}"
    if not sys.platform.startswith("linux"):
        return f"arenas need Linux, and this is {sys.platform}; {_NEXT}"
    if sys.maxsize < 2**32:
        return f"arenas need a 64-bit interpreter; {_NEXT}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return (
            "arenas need an interpreter with a GIL: the free-threaded build finds its objects by "
            "walking heaps of its own; use the ordinary build of the same version"
        )
    return None


def _load() -> tuple[ModuleType | None, str | None]:
    reason = _reason_from_interpreter()
    if reason is not None:
        return None, reason
    try:
        from frozen_arena import _core
    except ImportError as error:
        return None, (
            f"the compiled module could not be loaded: {error}; in a subinterpreter that is so by "
            "design, elsewhere install the package again for this interpreter"
        )
    return _core, None


_core_module, _reason = _load()


def core() -> ModuleType | None:
    """The compiled module, or None where arenas do not work."""
    return _core_module


def is_subinterpreter() -> bool:
    """Whether the compiled module was refused because this is not the main interpreter."""
    # The interpreter refuses the module where it can (3.12+), otherwise the module itself does.
    refusals = ("loading in subinterpreters", "arenas belong to the main interpreter")
    return _reason is not None and any(refusal in _reason for refusal in refusals)


def reason_unsupported() -> str | None:
    """Why arenas do not work here, as a sentence, or None where they do."""
    return _reason
