"""The block: ``with frozen_arena("catalog"):`` and the decorator of the same name.

Entering collects (so that no free list carries memory across the border), installs the hooks and
routes this thread's allocations to a new arena. Leaving stops the routing, collects again,
freezes, seals.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
import warnings
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from frozen_arena import _finish
from frozen_arena._support import core, reason_unsupported
from frozen_arena._suspension import SuspensionWatch
from frozen_arena.arena import Arena, remember
from frozen_arena.errors import ArenaStateError, FrozenArenaWarning, Unsupported
from frozen_arena.options import BlockOptions, TypeChoice
from frozen_arena.report import FreezeReport, TypeCount

__all__ = ["frozen_arena"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _OpenBlocks(threading.local):
    """The blocks that the calling thread has open, outermost first."""

    def __init__(self) -> None:
        self.stack: list[frozen_arena] = []


_open_blocks = _OpenBlocks()
_all_threads: list[frozen_arena] = []  # open blocks with threads="all", outermost first


class frozen_arena:  # noqa: N801 (reads as a word of the language, like open or suppress)
    """Builds what is made inside the block in an arena; leaving the block freezes and seals it.

    As a context manager ``with frozen_arena("catalog") as arena:``; as a decorator each call of
    the function is a block of its own.

    Args:
        name: for reports.
        threads: ``"current"`` routes the thread that enters the block, ``"all"`` every thread of
            the process while the block is open.
        keep_mortal: types (with subclasses), or one predicate of a type, whose objects stay
            reference counted.
        also_freeze: likewise, of objects that would be kept mortal because their type comes from
            an extension that is not known to be plain data.
        instance_dicts: materialises ``__dict__`` of instances, for data that workers pickle or
            pass to ``vars()``.
        huge_pages: ``"auto"`` builds in 2 MiB pages where the kernel can (MADV_COLLAPSE, Linux
            6.1), ``"never"`` not.
        limit: bytes that the arena may take; what does not fit goes to the ordinary heap and is
            counted.
        on_unsupported: what happens where arenas do not work: ``"warn"``, ``"raise"`` or
            ``"ignore"``.

    Raises:
        TypeError, ValueError: a keyword that is not accepted.
        Unsupported: arenas do not work here and ``on_unsupported="raise"``.
        ArenaStateError: on leaving: the block is left by another thread than the one that entered
            it, not in the order of nesting, or by a generator or coroutine that was suspended
            meanwhile. The arena is abandoned.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        threads: Literal["current", "all"] = "current",
        keep_mortal: TypeChoice = (),
        also_freeze: TypeChoice = (),
        instance_dicts: bool = False,
        huge_pages: Literal["auto", "never"] = "auto",
        limit: int | None = None,
        on_unsupported: Literal["warn", "raise", "ignore"] = "warn",
    ) -> None:
        self._options = BlockOptions(
            name,
            threads,
            keep_mortal,
            also_freeze,
            instance_dicts,
            huge_pages,
            limit,
            on_unsupported,
        )
        self._arena: Arena | None = None
        self._handle: Any = None
        self._thread = 0
        self._watch: SuspensionWatch | None = None
        self._open = False
        self._notes: list[str] = []

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Each call of `function` becomes a block of its own."""
        options = self._options

        @functools.wraps(function)
        def in_a_block(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with _block_with(options):
                return function(*args, **kwargs)

        return in_a_block

    def __enter__(self) -> Arena:
        if self._arena is not None:
            raise ArenaStateError(
                "a block can be entered once; make a new frozen_arena(...) for each"
            )
        native = core()
        if native is None:
            self._report_unsupported()
            self._arena = Arena(self._options.name, None)
            return self._arena
        outer = _open_blocks.stack[-1] if _open_blocks.stack else None
        native.route_thread(None)  # what describes this arena does not lie in the one around it
        try:
            return self._begin(native)
        except (
            BaseException
        ):  # no memory, a warning that is an error, Ctrl-C: the block was never entered
            if self._open:
                self.__exit__(*sys.exc_info())
            elif outer is not None:
                native.route_thread(outer._handle)
            raise

    def _begin(self, native: Any) -> Arena:
        self._handle = native.Arena(self._options.limit or 0, self._options.huge_pages == "auto")
        arena = self._arena = Arena(self._options.name, self._handle)
        remember(arena)
        self._thread = threading.get_ident()
        self._watch = SuspensionWatch(sys._getframe(2))
        restarted = native.begin_block()
        self._open = True
        _open_blocks.stack.append(self)
        if restarted:
            self._warn_of_lost_traces()
        if self._options.threads == "all":
            _all_threads.append(self)
            native.route_all_threads(self._handle)
        native.enter(self._handle)
        return arena

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        native = core()
        if native is None:
            return
        if not self._open:
            raise ArenaStateError("this block is not open; a block is entered once and left once")
        collecting = native.leave()  # first, so that what leaving makes does not lie in the arena
        self._open = False
        misuse = self._leave(native, sys._getframe(1))
        try:
            if exc_type is None and misuse is None and self._handle.state == "building":
                self._freeze_and_seal(collecting)
        except MemoryError:
            warnings.warn(
                "no memory was left to freeze what the block has built; the arena is "
                "abandoned and the data lives on "
                "as usual: raise RLIMIT_AS or the memory limit",
                FrozenArenaWarning,
                stacklevel=2,
            )
        finally:
            if self._handle.state == "building":
                self._handle.abandon()
            whole = native.end_block()
            if _open_blocks.stack:
                native.enter(
                    _open_blocks.stack[-1]._handle
                )  # the free lists hold ordinary memory by now
        if misuse is not None and exc_type is None:
            raise ArenaStateError(misuse)
        if not whole and self._handle.state == "sealed":
            _warn_of_dropped_hooks()

    def _leave(self, native: Any, frame: FrameType) -> str | None:
        """Takes this block out of the books; returns what is wrong with the way it is left."""
        stack = _open_blocks.stack
        misuse = None
        suspended = self._watch is not None and self._watch.ended(frame)
        if threading.get_ident() != self._thread:
            misuse = "the block is left by another thread than the one that entered it"
        elif not stack or stack[-1] is not self:
            misuse = "blocks are left in another order than they were entered"
        elif suspended:
            misuse = "the block is left by a generator or coroutine that was suspended meanwhile"
        if self in stack:
            stack.remove(self)
        if self in _all_threads:
            _all_threads.remove(self)
            native.route_all_threads(_all_threads[-1]._handle if _all_threads else None)
        if misuse is None:
            return None
        advice = "enter and leave a block in one function, without yield or await"
        return f"{misuse}; the arena is abandoned: {advice}"

    def _freeze_and_seal(self, collecting: float) -> None:
        assert self._arena is not None
        clock = time.perf_counter
        started = clock()
        ledger = self._handle.freeze(
            self._options.keep_mortal or None,
            self._options.also_freeze or None,
            self._options.instance_dicts,
            _finish.pending,
        )
        frozen = clock()
        refused = self._handle.seal()
        if refused:
            self._notes.append(f"not all of the arena could be sealed: {refused}")
        seconds = {
            "collect": collecting,
            "freeze": frozen - started,
            "seal": clock() - frozen,
        }
        self._arena._report = _report(ledger, self._handle.stats(), seconds, self._notes)

    @staticmethod
    def _warn_of_lost_traces() -> None:
        warnings.warn(
            "tracemalloc was stopped and started again to get below it; its earlier traces "
            "are lost",
            FrozenArenaWarning,
            stacklevel=4,
        )

    def _report_unsupported(self) -> None:
        reason = reason_unsupported() or "the reason is unknown"
        message = f"nothing is frozen: {reason}"
        if self._options.on_unsupported == "raise":
            raise Unsupported(message)
        if self._options.on_unsupported == "warn":
            _warn_once(message)


def _block_with(options: BlockOptions) -> frozen_arena:
    block = frozen_arena()
    block._options = options
    return block


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, FrozenArenaWarning, stacklevel=4)


def _warn_of_dropped_hooks() -> None:
    warnings.warn(
        "somebody put other allocator hooks in place while the block was open "
        "(tracemalloc.stop()?); what was "
        "allocated after that lies in the ordinary heap and is not frozen",
        FrozenArenaWarning,
        stacklevel=3,
    )


def _report(
    ledger: dict[str, Any], stats: dict[str, Any], seconds: dict[str, float], notes: list[str]
) -> FreezeReport:
    def total(field: str) -> int:
        return int(stats["objects"][field]) + int(stats["payload"][field])

    return FreezeReport(
        **{name: value for name, value in ledger.items() if not name.endswith("_types")},
        frozen_types=tuple(TypeCount(*row) for row in ledger["frozen_types"]),
        mortal_types=tuple(TypeCount(*row) for row in ledger["mortal_types"]),
        live_bytes=total("live_bytes"),
        free_bytes=total("free_bytes"),
        punched_bytes=total("punched_bytes"),
        mapped_bytes=total("mapped_bytes"),
        huge_bytes=total("huge_bytes"),
        unsealed_bytes=total("unsealed_bytes"),
        overflow_blocks=stats["overflow_blocks"],
        overflow_bytes=stats["overflow_bytes"],
        seconds=seconds,
        notes=tuple(notes),
    )
