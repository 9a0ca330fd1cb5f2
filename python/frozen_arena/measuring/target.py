"""`MODULE:CALLABLE`: what the user names on the command line, found and called.

Whatever goes wrong is a `TargetError` of one line; tracebacks of somebody else's code help nobody
who wanted to see a table.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["TargetError", "call", "check_form", "find"]


class TargetError(Exception):
    """The message is one line; `usage` says whether the name is wrong or the work failed."""

    def __init__(self, message: str, usage: bool) -> None:
        super().__init__(" ".join(message.split()))
        self.usage = usage


def check_form(name: str) -> None:
    """Whether a name looks like ``package.module:callable``.

    Raises:
        TargetError: it does not.
    """
    module, colon, path = name.partition(":")
    words = [*module.split("."), *path.split(".")]
    if not colon or not all(word.isidentifier() for word in words):
        raise TargetError(f"{name!r} is not of the form MODULE:CALLABLE (shop.data:load)", True)


def find(name: str) -> Callable[..., Any]:
    """Imports the module, from the current folder too, and returns the callable.

    Raises:
        TargetError: the form is wrong, the module cannot be imported, or there is no such callable.
    """
    check_form(name)
    module_name, _, path = name.partition(":")
    here = os.getcwd()  # noqa: PTH109 - a string is what sys.path holds
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise TargetError(f"cannot import {module_name!r}: {_said(error)}", True) from error
    for word in path.split("."):
        if not hasattr(found, word):
            raise TargetError(f"module {module_name!r} has no {path!r}", True)
        found = getattr(found, word)
    if not callable(found):
        raise TargetError(
            f"{name!r} is not callable: it is of type {type(found).__qualname__}", True
        )
    target: Callable[..., Any] = found
    return target


def call(name: str, target: Callable[..., Any], *arguments: Any) -> Any:
    """Calls it.

    Raises:
        TargetError: it raised.
    """
    try:
        return target(*arguments)
    except (Exception, SystemExit) as error:
        raise TargetError(f"{name} raised {_said(error)}", False) from error


def _said(error: BaseException) -> str:
    """Type, message and place of an exception: "KeyError: 'x' (shop/data.py, line 12)"."""
    text = f"{type(error).__qualname__}: {error}" if str(error) else type(error).__qualname__
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename != __file__
    ]
    frames = [frame for frame in frames if frame.filename != importlib.__file__]
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text
