"""The block: ``with frozen_arena("catalog"):`` and the decorator of the same name.

Entering installs the hooks, collects (so that no free list carries memory across the border) and
routes this thread's allocations to a new arena. Leaving stops the routing, collects again,
freezes, seals.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from frozen_arena import _finish
from frozen_arena._support import core, reason_unsupported
from frozen_arena._suspension import SuspensionWatch
from frozen_arena.arena import Arena, remember, reshare_by_itself
from frozen_arena.errors import ArenaStateError, FrozenArenaWarning, Unsupported
from frozen_arena.ledger import mib
from frozen_arena.options import BlockOptions, TypeChoice
from frozen_arena.report import FreezeReport, TypeCount

__all__ = ["frozen_arena"]

_ADVICE = "enter and leave a block in one function, without yield or await"

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Thread(threading.local):
    """Tells threads apart: the ident of one that has ended is given to another."""

    def __init__(self) -> None:
        self.token = object()


_this_thread = _Thread()

_entered: list[frozen_arena] = []
"""Open blocks, outermost first, and those that another thread has left.

Of the latter the thread that entered them forgets its own when it next enters or leaves a block.
Until then its allocations still ask the arena, so this list keeps the arena alive: for ever, if
that thread has ended.
"""


class frozen_arena:  # noqa: N801 (reads as a word of the language, like open or suppress)
    """Builds what is made inside the block in an arena; leaving the block freezes and seals it.

    As a context manager ``with frozen_arena("catalog") as arena:``; as a decorator each call of
    the function is a block of its own.

    Args:
        name: for reports.
        threads: ``"current"`` routes the thread that enters the block, ``"all"`` every thread of
            the process while the block is open. What other threads build meanwhile is frozen
            too and lives until the process ends.
        keep_mortal: types (with subclasses), or one predicate of a type, whose objects stay
            reference counted.
        also_freeze: likewise, of objects that would be kept mortal because their type comes from
            an extension that is not known to be plain data, or because their end can be seen
            (``__del__``, files): that end never comes then. Generators, coroutines and frames
            stay mortal all the same.
        instance_dicts: materialises ``__dict__`` of instances, for data that workers pickle or
            pass to ``vars()``.
        huge_pages: ``"auto"`` builds in huge pages of 2 MiB where the kernel can (MADV_COLLAPSE,
            Linux 6.1), ``"never"`` not.
        limit: bytes that the arena may take; what does not fit goes to the ordinary heap and is
            counted.
        reshare: ``"auto"`` starts a thread in each forked child that gives copies whose content has
            returned back (`Arena.reshare`), for at most a hundredth of its time; ``"never"``: only
            when `reshare` is called. None: ``"auto"`` on CPython 3.11, ``"never"`` from 3.12 on.
        on_unsupported: what happens where arenas do not work: ``"warn"``, ``"raise"`` or
            ``"ignore"``.

    Raises:
        TypeError, ValueError: a keyword that is not accepted.
        Unsupported: arenas do not work here and ``on_unsupported="raise"``.
        ArenaStateError: on leaving: the block is left by another thread than the one that entered
            it, not in the order of nesting, or by a generator or coroutine that was suspended
            meanwhile; the arena is abandoned. On entering: this object was entered before.
        Exception: whatever a predicate raises, on leaving; the arena is abandoned.

    On CPython 3.11, which has no immortal objects, counts are still written: payload stays shared,
    headers that are read are copied, and given back when the reader is done.
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
        reshare: Literal["auto", "never"] | None = None,
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
            reshare,
            on_unsupported,
        )
        self._anywhere = False  # entered for the whole process, to be left by any thread
        self._arena: Arena | None = None
        self._handle: Any = None
        self._thread: object = None
        self._watch: SuspensionWatch | None = None
        self._open = False
        self._closed_by: Literal["another thread", "fork"] | None = None
        self._notes: list[str] = []

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Each call of `function` becomes a block of its own.

        Raises:
            TypeError: a generator function or coroutine function, whose body runs after its call
                has returned.
        """
        options = self._options
        _refuse_suspendable(function)

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
        try:
            native.route_thread(None)  # what describes this arena does not lie in the one around it
            _forget_blocks_that_others_left()
            return self._begin(native)
        # No memory, a warning that is an error, Ctrl-C: the block was never entered.
        except BaseException:
            if self._open:
                self.__exit__(*sys.exc_info())
                raise
            if self._watch is not None:
                self._watch.ended(None)
            if self._handle is not None:
                self._handle.end_block()
            outer = _innermost()
            if outer is not None:
                native.route_thread(outer._handle)
            raise

    def _begin(self, native: Any) -> Arena:
        self._handle = native.Arena(self._options.limit or 0, self._options.huge_pages == "auto")
        arena = self._arena = Arena(self._options.name, self._handle)
        remember(arena)
        self._thread = None if self._anywhere else _this_thread.token
        self._watch = SuspensionWatch(sys._getframe(2))
        # By position: pybind11 reads past the name of an argument that it has no memory for.
        restarted = self._handle.begin_block(not self._anywhere)
        self._open = True
        _entered.append(self)
        if self._watch.blind:
            _warn_in_enter(
                "every tool id of sys.monitoring is taken: if this generator or coroutine is "
                "suspended inside the block, nobody notices, and what others allocate meanwhile is "
                "frozen too; free one (sys.monitoring.free_tool_id) or enter the block in an "
                "ordinary function"
            )
        if restarted:
            _warn_in_enter(
                "tracemalloc was stopped and started again to get below it; its earlier traces "
                "are lost; to keep them start tracemalloc after the first block"
            )
        if self._options.threads == "all":
            native.route_all_threads(self._handle)
        if not self._anywhere:
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
            self._leave_closed(native, exc_type)
            return
        whole = True  # not both at once: unpacking makes an iterator
        misuse = None
        try:
            # First, so that what leaving makes does not lie in the arena.
            collecting = native.leave(self._handle)
            misuse = self._misuse(sys._getframe(1))
            if exc_type is None and misuse is None and self._handle.state == "building":
                try:
                    self._freeze_and_seal(collecting)
                except ArenaStateError:
                    if self._closed_by != "fork":
                        raise
                    # A predicate or signal handler has forked, and this is the child.
        except MemoryError:
            warnings.warn(
                "no memory was left to freeze what the block has built; the arena is "
                "abandoned and the data lives on "
                "as usual: raise RLIMIT_AS or the memory limit",
                FrozenArenaWarning,
                stacklevel=2,
            )
        finally:
            # Ctrl-C may have come at any place above: the one call that must be made comes first.
            self._open = False
            try:
                whole = self._handle.end_block()
            finally:
                self._close(native)
                _go_on_with_outer_block(native)
        if misuse is not None and exc_type is None:
            raise ArenaStateError(misuse)
        if not whole and self._handle.state == "sealed":
            _warn_of_dropped_hooks()

    def _misuse(self, frame: FrameType) -> str | None:
        """What is wrong with the way in which an open block is left, or None."""
        suspended = self._watch is not None and self._watch.ended(frame)
        if self._anywhere:
            return None
        if self._thread is not _this_thread.token:
            misuse = "the block is left by another thread than the one that entered it"
        elif _innermost() is not self:
            misuse = "blocks are left in another order than they were entered"
        elif suspended:
            misuse = "the block is left by a generator or coroutine that was suspended meanwhile"
        else:
            return None
        return f"{misuse}; the arena is abandoned: {_ADVICE}"

    def _close(self, native: Any) -> None:
        """Takes this block, which is open no more, out of the books."""
        if self._watch is not None:
            self._watch.ended(None)
        if self._anywhere or self._thread is _this_thread.token:
            if self in _entered:  # unless a child was forked while this was being left
                _entered.remove(self)
        else:
            self._closed_by = "another thread"
        if self._options.threads == "all":
            others = [
                block for block in _entered if block._open and block._options.threads == "all"
            ]
            native.route_all_threads(others[-1]._handle if others else None)

    def _leave_closed(self, native: Any, exc_type: type[BaseException] | None) -> None:
        """The end of a block that was closed for the one who entered it, or a mistake."""
        closed_by = self._closed_by
        if closed_by is None or (closed_by != "fork" and self._thread is not _this_thread.token):
            raise ArenaStateError("this block is not open; a block is entered once and left once")
        self._closed_by = None
        if closed_by == "fork":
            return
        native.route_thread(None)
        _forget_blocks_that_others_left()
        _go_on_with_outer_block(native)
        if exc_type is None:
            raise ArenaStateError(
                f"another thread has left this block; the arena is abandoned: {_ADVICE}"
            )

    def _freeze_and_seal(self, collecting: float) -> None:
        assert self._arena is not None
        ledger, refused, freezing, sealing = self._handle.freeze_and_seal(
            self._options.keep_mortal or None,
            self._options.also_freeze or None,
            self._options.instance_dicts,
            _finish.pending,
        )
        if refused:
            self._notes.append(f"not all of the arena could be sealed: {refused}")
        seconds = {"collect": collecting, "freeze": freezing, "seal": sealing}
        self._arena._report = _report(ledger, self._handle.stats(), seconds, self._notes)
        if self._options.reshares:
            reshare_by_itself(self._arena)

    def _report_unsupported(self) -> None:
        reason = reason_unsupported() or "the reason is unknown"
        message = f"nothing is frozen: {reason}"
        if self._options.on_unsupported == "raise":
            raise Unsupported(message)
        if self._options.on_unsupported == "warn":
            _warn_once(message)


def open_for_all(options: BlockOptions, *, empty_free_lists: bool) -> frozen_arena:
    """Enters a block for the whole process, which any thread leaves, by `leave_for_all`.

    Args:
        options: of the block, with ``threads="all"``.
        empty_free_lists: collects first, as every other block does; without, some objects lie in
            memory that was used before.
    """
    block = _block_with(options)
    block._anywhere = True
    block.__enter__()
    native = core()
    if empty_free_lists and native is not None:
        native.enter(block._handle)
        native.route_thread(None)  # no thread has it for its own
    return block


def leave_for_all(block: frozen_arena, *, freeze: bool) -> None:
    """Leaves it, frozen and sealed or abandoned."""
    if freeze:
        block.__exit__(None, None, None)
    else:
        block.__exit__(SystemExit, None, None)


def other_blocks_are_open(block: frozen_arena) -> bool:
    """Whether any thread is inside a block beside this one."""
    return any(other is not block and other._open for other in _entered)


def _innermost() -> frozen_arena | None:
    """The block that takes the calling thread's allocations."""
    for block in reversed(_entered):
        if block._open and block._thread is _this_thread.token:
            return block
    return None


def _forget_blocks_that_others_left() -> None:
    """The calling thread is routed to no arena: it needs those no longer that others have left."""
    mine = _this_thread.token
    for left in [block for block in _entered if not block._open and block._thread is mine]:
        _entered.remove(left)  # a slice of the list would leave a slice object in a free list


def _go_on_with_outer_block(native: Any) -> None:
    outer = _innermost()
    if outer is not None:
        native.enter(outer._handle)  # collects: the free lists hold ordinary memory by now


def _close_in_child() -> None:
    """In a child of fork() its arenas are abandoned, and the blocks end with them.

    A worker that was forked inside a block need not leave it, and would run without automatic
    collection until it ends.
    """
    if not _entered:
        return
    native = core()
    assert native is not None
    native.route_thread(None)
    native.route_all_threads(None)
    for block in _entered:
        if block._open:
            block._open = False
            block._closed_by = "fork"
            if block._watch is not None:
                block._watch.ended(None)
            block._handle.end_block()
    _entered.clear()


if core() is not None:
    os.register_at_fork(after_in_child=_close_in_child)


def _refuse_suspendable(function: Callable[..., Any]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        kind = "generator"
    elif inspect.iscoroutinefunction(function):
        kind = "coroutine"
    else:
        return
    raise TypeError(
        f"{function!r} is a {kind} function: its body runs after its call has returned, and with "
        "it the block; write `with frozen_arena():` inside it, around what loads the data and "
        "without yield or await"
    )


def _block_with(options: BlockOptions) -> frozen_arena:
    block = frozen_arena()
    block._options = options
    return block


def _warn_in_enter(message: str) -> None:
    """Warns whoever enters the block; called two calls below ``__enter__``."""
    warnings.warn(message, FrozenArenaWarning, stacklevel=4)


_warn_once = functools.cache(_warn_in_enter)


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
        notes=(*notes, *_kernel_notes(total("unsealed_bytes"), total("huge_pages_refused") > 0)),
    )


def _kernel_notes(unsealed_bytes: int, huge_pages_refused: bool) -> list[str]:
    notes = []
    if unsealed_bytes:
        notes.append(
            f"{mib(unsealed_bytes)} could not be put behind an immutable file: workers share it as "
            "ordinary memory, or a process that still maps the file can change it. "
            "`frozen-arena doctor` names what this machine lacks; if nothing, the process was "
            "forked before the freeze, or has closed the arena's descriptors, while other threads "
            "ran, or RLIMIT_AS, RLIMIT_NOFILE or vm.max_map_count is too low"
        )
    if huge_pages_refused:
        notes.append(
            "huge pages were refused (MADV_COLLAPSE): from then on the arena was built in OS pages "
            'of the usual size; see `frozen-arena doctor`, or pass huge_pages="never"'
        )
    return notes
