"""Errors and the warning of this package. Every message names the next step."""

from __future__ import annotations

__all__ = [
    "ArenaStateError",
    "FrozenArenaError",
    "FrozenArenaWarning",
    "ImageError",
    "Unsupported",
]


class FrozenArenaError(Exception):
    """Base of all errors of this package; wrong arguments raise TypeError or ValueError."""


class ArenaStateError(FrozenArenaError):
    """What was asked for is not possible in the arena's present state."""


class ImageError(FrozenArenaError):
    """An image cannot be saved or opened; the message says why, and what to do."""


class Unsupported(FrozenArenaError):
    """This interpreter or this machine lacks what is needed; ``frozen-arena doctor`` says what."""


class FrozenArenaWarning(UserWarning):
    """Something works less well than it could: less is shared, or nothing is."""
