"""`pack`: a copy of everything that one root leads to, in a sealed arena of its own."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from frozen_arena._support import core
from frozen_arena.arena import Arena
from frozen_arena.block import frozen_arena

__all__ = ["PackReport", "pack"]

Reducer = Callable[[Any], str | tuple[Any, ...]]
"""Takes an object and returns what its ``__reduce__`` would."""


@dataclass(frozen=True, slots=True)
class PackReport:
    """What `pack` has done: ``objects == copied + merged + kept + passed``.

    Attributes:
        objects: objects that the root leads to, itself included, each once.
        copied: those of which a copy was made.
        merged: immutable values of which an equal copy was there already.
        kept: not copied: classes, functions, modules, and what the interpreter has for everybody
            (None, small ints, single letters).
        passed: made by a reducer to be an argument, and passed on as they are.
    """

    objects: int
    copied: int
    merged: int
    kept: int
    passed: int

    def to_dict(self) -> dict[str, int]:
        """The same as a plain dict, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.objects:,} objects = {self.copied:,} copied + {self.merged:,} merged + "
            f"{self.kept:,} kept + {self.passed:,} passed on"
        )


def pack(
    root: object,
    name: str | None = None,
    *,
    dedupe: bool = True,
    reducers: Mapping[type, Reducer] | None = None,
) -> Arena:
    """Copies `root` and all that it leads to into a sealed arena of its own.

    Laid out in the order of a walk from the root, without the gaps that building leaves: it takes
    less memory and is faster to walk. What is mutable is one object in the copy where it was one in
    the original. Neither depth nor cycles matter. The original is not changed and may be dropped;
    `Arena.root` is the copy. Until then both take memory.

    Copied are the builtin scalars and containers, the datetime family, named tuples, instances of
    ordinary classes with their attributes and slots, and what tells pickle how it is made
    (``copyreg``, ``__reduce_ex__``). Classes, functions and modules are kept as they are. Data of
    NumPy arrays is copied, but into memory of NumPy's own (NEP 49).

    Args:
        root: any object.
        name: for reports.
        dedupe: equal immutable values (str, bytes, numbers, dates, tuples of the same items) become
            one object, but for NaN, which equals nothing.
        reducers: by exact type, a callable that says how an object is made, as those registered
            with ``copyreg.pickle`` do; asked before those.

    Returns:
        The arena, sealed. Where arenas do not work, an abandoned one whose root is `root` itself,
        after one `FrozenArenaWarning`.

    Raises:
        TypeError: a file, a lock, a generator and whatever else pickle refuses; the message says
            where in `root` it is. Or an argument of the wrong type.
        RuntimeError: another thread has changed an instance meanwhile.
        Exception: whatever a reducer or the hash of a key raises, with a note of the place.

        Nothing is left of the copy then.
    """
    if not isinstance(dedupe, bool):
        raise TypeError(f"dedupe takes a bool, not {type(dedupe).__name__}")
    chosen: dict[Any, Any] = {} if reducers is None else dict(reducers)
    for kind, reducer in chosen.items():
        if not isinstance(kind, type) or not callable(reducer):
            raise TypeError(f"reducers takes types with callables; {kind!r}: {reducer!r} is not")
    native = core()
    with frozen_arena(name) as arena:
        if native is None:
            arena._root = root
            return arena
        copy, ledger = native.copy_graph(root, dedupe, chosen, copyreg.dispatch_table)
    arena._root = copy
    arena._packed = PackReport(**ledger)
    return arena
