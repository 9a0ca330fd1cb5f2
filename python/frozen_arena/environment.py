"""The variable ``PYTHONFROZENARENA``: one table of its keys, their defaults and what each takes.

``1`` activates with defaults, ``key=value,key=value`` with these keywords; unset, empty or ``0`` is
off. `read` checks a value, `start` does what it says.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from frozen_arena.options import MIN_NEW

__all__ = ["KEYS", "VARIABLE", "Key", "read", "start"]

VARIABLE = "PYTHONFROZENARENA"

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_YES_NO = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}


def _text(value: str) -> str:
    return value


def _bytes(value: str) -> int:
    digits = value.rstrip("kKmMgGbB")
    unit = value[len(digits) :].lower().removesuffix("b")
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS or int(digits) == 0:
        raise ValueError("a number of bytes above 0, such as 67108864, 64M or 2G")
    return int(digits) << _UNITS[unit]


def _yes_no(value: str) -> bool:
    if value.lower() not in _YES_NO:
        raise ValueError("1 or 0")
    return _YES_NO[value.lower()]


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return value

    return parse


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what its value becomes, and what the documentation says of it."""

    parse: Callable[[str], Any]
    """Raises ValueError with the values that it takes."""
    default: str
    meaning: str


KEYS: Mapping[str, Key] = {
    "name": Key(_text, "activation", "of the arena, for reports"),
    "min_new": Key(_bytes, str(MIN_NEW), "bytes that must have been collected for a fork to count"),
    "limit": Key(_bytes, "no limit", "bytes that the arena may take"),
    "huge_pages": Key(_one_of("auto", "never"), "auto", "2 MiB pages, where the kernel can"),
    "instance_dicts": Key(_yes_no, "0", "materialises the `__dict__` of instances"),
    "reshare": Key(
        _one_of("auto", "never"), "auto on CPython 3.11", "children give copies back by themselves"
    ),
    "report": Key(_yes_no, "0", "prints the report on standard error after the freeze"),
    "require": Key(_yes_no, "0", "ends the program with status 2 where this cannot work"),
}


def read(value: str) -> dict[str, Any] | None:
    """The keywords that a value of the variable stands for; None when it says off.

    Raises:
        ValueError: a key or a value that there is not; the message names those that there are.
    """
    value = value.strip()
    if value in ("", "0"):
        return None
    found: dict[str, Any] = {}
    for part in value.split(","):
        if part.strip() == "1":
            continue
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if name not in KEYS or not equals:
            raise ValueError(f"{part.strip()!r} is none of its keys; use 1, or {_forms()}")
        try:
            found[name] = KEYS[name].parse(text)
        except ValueError as error:
            raise ValueError(f"{name} takes {error}; {text!r} is not that") from error
    return found


def start() -> None:
    """Activates as the variable says. Never raises; what is wrong with it costs one line.

    With ``require=1``, even in a value that cannot be read otherwise, the interpreter ends with
    status 2 instead: it would report an exception of a start-up file and go on.
    """
    value = os.environ.get(VARIABLE, "")
    try:
        options = read(value)
        if options is not None:
            options.pop("require", None)
            _activate(options)
    except Exception as error:
        require = "require=1" in value.replace(" ", "").split(",")
        line = f"{VARIABLE}: {error}; {'ending' if require else 'going on without'}\n"
        try:
            os.write(2, line.encode("utf-8", "backslashreplace"))  # sys.stderr may be None
        except OSError:
            pass  # closed
        finally:
            if require:
                os._exit(2)


def _activate(options: dict[str, Any]) -> None:
    from frozen_arena._support import is_subinterpreter, reason_unsupported
    from frozen_arena.activation import activate

    reason = reason_unsupported()
    if reason is not None and is_subinterpreter():
        return  # the main interpreter has said what there is to say
    if reason is not None:
        raise RuntimeError(f"nothing is frozen: {reason}")
    activate(**options)
    from frozen_arena.integrations.inheritance import watch

    watch()


def _forms() -> str:
    return ", ".join(f"{name}=..." for name in KEYS)
