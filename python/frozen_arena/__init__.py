"""frozen arena: ordinary Python data, built once, shared by every process forked later.

    >>> from frozen_arena import frozen_arena
    >>> with frozen_arena("catalog") as arena:
    ...     catalog = {"answer": [42]}
    >>> arena.state
    'sealed'

Importing costs nothing but the import: hooks go in when the first block is entered.
"""

from __future__ import annotations

from frozen_arena._prewarming import prewarm
from frozen_arena.activation import activate, freeze
from frozen_arena.arena import Arena, arenas, explain, reshare, sharing, trace_writes
from frozen_arena.block import frozen_arena
from frozen_arena.errors import (
    ArenaStateError,
    FrozenArenaError,
    FrozenArenaWarning,
    ImageError,
    Unsupported,
)
from frozen_arena.images import Image, ImageReport, open_image
from frozen_arena.optout import OptOut, optout
from frozen_arena.packing import PackReport, pack
from frozen_arena.report import FreezeReport, LaneSharing, Sharing, TypeCount
from frozen_arena.status import Check, Status, status
from frozen_arena.write_tracing import TracedWrites, Write

__all__ = [
    "Arena",
    "ArenaStateError",
    "Check",
    "FreezeReport",
    "FrozenArenaError",
    "FrozenArenaWarning",
    "Image",
    "ImageError",
    "ImageReport",
    "LaneSharing",
    "OptOut",
    "PackReport",
    "Sharing",
    "Status",
    "TracedWrites",
    "TypeCount",
    "Unsupported",
    "Write",
    "activate",
    "arenas",
    "explain",
    "freeze",
    "frozen_arena",
    "open_image",
    "optout",
    "pack",
    "prewarm",
    "reshare",
    "sharing",
    "status",
    "trace_writes",
]

__version__ = "0.1.0"
