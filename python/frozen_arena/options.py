"""The keywords of ``frozen_arena()``: one table of names, defaults and what each accepts."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["MIN_NEW", "BlockOptions", "TypeChoice", "check_size"]

MIN_NEW = 8 << 20
"""Bytes that activation must have collected for a fork to be worth a freeze."""

TypeChoice = (
    type | tuple[type, ...] | list[type] | set[type] | frozenset[type] | Callable[[type], bool]
)
"""Types (with their subclasses), or one predicate that is called once with each type."""

_THREADS = ("current", "all")
_HUGE_PAGES = ("auto", "never")
_RESHARE = ("auto", "never")
_ON_UNSUPPORTED = ("warn", "raise", "ignore")


def _one_of(name: str, value: object, accepted: tuple[str, ...]) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} takes a str, not {type(value).__name__}")
    if value not in accepted:
        choices = ", ".join(repr(choice) for choice in accepted)
        raise ValueError(f"{name} can be {choices}; {value!r} is none of them")


def _types_or_predicate(name: str, value: Any) -> tuple[type, ...] | Callable[[type], bool]:
    if isinstance(value, type):
        return (value,)
    if isinstance(value, (tuple, list, set, frozenset)):
        for item in value:
            if not isinstance(item, type):
                raise TypeError(f"{name} takes types or one predicate; {item!r} is not a type")
        return tuple(value)
    if callable(value):
        return value  # type: ignore[no-any-return]
    raise TypeError(f"{name} takes types or one predicate, not {type(value).__name__}")


def check_size(name: str, value: object, *, or_none: bool = False) -> None:
    """A number of bytes, above 0.

    Raises:
        TypeError: `value` is no int.
        ValueError: it is 0 or less.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        accepted = "a number of bytes or None" if or_none else "a number of bytes"
        raise TypeError(f"{name} takes {accepted}, not {type(value).__name__}")
    if value <= 0:
        raise ValueError(f"{name} takes a positive number of bytes; {value} is not")


@dataclass(frozen=True, slots=True)
class BlockOptions:
    """The checked keywords of one block.

    Raises:
        TypeError: a keyword has the wrong type.
        ValueError: a keyword has a value that is none of those accepted.
    """

    name: str | None = None
    threads: Literal["current", "all"] = "current"
    keep_mortal: TypeChoice = ()
    also_freeze: TypeChoice = ()
    instance_dicts: bool = False
    huge_pages: Literal["auto", "never"] = "auto"
    limit: int | None = None
    reshare: Literal["auto", "never"] | None = None
    on_unsupported: Literal["warn", "raise", "ignore"] = "warn"

    def __post_init__(self) -> None:
        given: object = self.name
        if inspect.isroutine(given) or isinstance(given, type):
            raise TypeError(
                "name takes a str or None, not a function; as a decorator write @frozen_arena()"
            )
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"name takes a str or None, not {type(self.name).__name__}")
        _one_of("threads", self.threads, _THREADS)
        _one_of("huge_pages", self.huge_pages, _HUGE_PAGES)
        if self.reshare is not None:
            _one_of("reshare", self.reshare, _RESHARE)
        _one_of("on_unsupported", self.on_unsupported, _ON_UNSUPPORTED)
        if not isinstance(self.instance_dicts, bool):
            raise TypeError(
                f"instance_dicts takes a bool, not {type(self.instance_dicts).__name__}"
            )
        if self.limit is not None:
            check_size("limit", self.limit, or_none=True)
        for field in ("keep_mortal", "also_freeze"):
            object.__setattr__(self, field, _types_or_predicate(field, getattr(self, field)))

    @property
    def reshares(self) -> bool:
        """Whether copies are given back without being asked: by default where all are counted."""
        if self.reshare is None:
            return sys.version_info < (3, 12)
        return self.reshare == "auto"
