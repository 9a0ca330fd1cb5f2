"""`Arena`: what a block gives its user, and the list of all arenas of the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from frozen_arena._resharing import Resharer, Turns
from frozen_arena._support import core
from frozen_arena.errors import ArenaStateError, Unsupported
from frozen_arena.report import FreezeReport, LaneSharing, Sharing
from frozen_arena.write_tracing import TracedWrites, trace_writes_of

if TYPE_CHECKING:
    from frozen_arena.explaining.explanation import Explanation
    from frozen_arena.packing import PackReport

__all__ = ["Arena", "arenas", "explain", "reshare", "sharing", "trace_writes"]

_LANES = ("objects", "payload")
_NO_PAGEMAP = "/proc/self/pagemap cannot be read; mount /proc to count OS pages"


class Arena:
    """A place for data that is built once and then shared by every process forked later.

    Made by `frozen_arena.frozen_arena`; not to be made by hand.
    """

    __slots__ = ("__weakref__", "_handle", "_name", "_packed", "_report", "_reshares", "_root")

    def __init__(self, name: str | None, handle: Any) -> None:
        self._name = name
        self._handle = handle
        self._report: FreezeReport | None = None
        self._reshares = False
        self._root: Any = None
        self._packed: PackReport | None = None

    @property
    def name(self) -> str | None:
        """The name that the block was given, or None."""
        return self._name

    @property
    def state(self) -> str:
        """``"building"``, ``"sealed"``, ``"abandoned"`` or ``"released"``.

        Abandoned: an exception left the block, it was left in a way that is an `ArenaStateError`,
        this process was forked while it was open, or arenas do not work here. Nothing is frozen
        then; objects live and die as usual. Released: every object in it has died, and its memory
        is back with the system.
        """
        return "abandoned" if self._handle is None else str(self._handle.state)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arena takes; until the seal, bytes that are mapped."""
        if self._report is not None and self.state == "sealed":
            return self._report.resident_bytes
        return 0 if self._handle is None else int(self._handle.mapped_bytes)

    @property
    def report(self) -> FreezeReport | None:
        """What the seal did; None before it, and for an arena that was abandoned."""
        return self._report

    @property
    def root(self) -> Any:
        """The copy that `pack` has made; None for the arena of a block."""
        return self._root

    @property
    def packed(self) -> PackReport | None:
        """What `pack` has copied; None for the arena of a block."""
        return self._packed

    def __contains__(self, obj: object) -> bool:
        """Whether the object's own block lies in this arena."""
        return self._handle is not None and bool(self._handle.contains(obj))

    def sharing(self) -> Sharing:
        """What the calling process still shares of this arena; nothing unless it is sealed.

        Raises:
            Unsupported: ``/proc/self/pagemap`` cannot be read.
        """
        return _sharing_of([self])

    def explain(self, limit: int | None = 20) -> Explanation:
        """Names what the calling process has copied of this arena: objects, fields, causes.

        Each private OS page is compared with the pristine copy of what was sealed, word by word.
        Reads ``/proc/self/mem``, and touches no frozen object. Whose a buffer is takes a search
        through the objects lane: some tenths of a second for a GiB.

        Args:
            limit: how many causes `print` shows; the rest is summed up in a line. None shows all.

        Returns:
            An `Explanation`; an empty one for an arena that is abandoned or released.

        Raises:
            ArenaStateError: the arena is still being built.
            TypeError, ValueError: `limit` is no whole number from 1 up, nor None.
            Unsupported: ``/proc/self/mem`` or ``/proc/self/pagemap`` cannot be read.
        """
        if self.state == "building":
            raise ArenaStateError("nothing to explain: leave the block first, which seals it")
        return _explain([self], limit)

    def reshare(self, *, payload: bool = False) -> int:
        """Gives back what the calling process has copied and what says the same as before again.

        Reading counts references on CPython 3.11, and on every version those to mortal objects. The
        OS page of a counter is copied; when the reader is done, the copy is byte for byte what it
        was copied from. Call it between requests or batches, when nothing holds on to the data:
        what is held then has another count, and its OS page stays copied until the next call.

        `os.fork` copies the page tables of memory in which anything was ever copied. It does not
        any more after this, where the kernel lets us (Linux 5.13): call it before forking when the
        parent has read its data.

        Holds the GIL throughout. That is what makes it safe: nobody writes to an object between
        the comparison and the moment in which the copy is dropped.

        Args:
            payload: the payload lane too (item tables of lists, dicts and sets, buffers). Only
                when no other thread can be in C code that writes to such a buffer without the GIL,
                as ``readinto()`` does: what it wrote in that moment would be lost. The same holds
                for a frozen ``bytearray`` (3.15) or small ctypes instance without this.

        Returns:
            Bytes given back; 0 for an arena that is abandoned or released, that lies behind no
            sealed file, or whose memory is locked (mlock(2)).

        Raises:
            ArenaStateError: the arena is still being built.
            Unsupported: ``/proc/self/pagemap`` cannot be read.
        """
        if self.state == "building":
            raise ArenaStateError("nothing to give back: leave the block first, which seals it")
        return _reshare([self], payload, map_anew=True)

    def trace_writes(self, *, limit: int = 1000) -> TracedWrites:
        """A block in which the next writes of this process to this arena are recorded.

            with arena.trace_writes() as writes:
                handler()
            assert not writes, writes

        The first write to each OS page, by whichever thread: the one that copies it. It is caught
        (the memory is read-only in the block, and SIGSEGV handled), recorded with the Python stack,
        and then allowed. Children of the block are not traced. Costs a signal for each write that
        is recorded, and nothing outside the block.

        Args:
            limit: writes to record, 1 to 1,000,000; what comes after them goes unnoticed, and
                ``writes.truncated`` says so.

        Returns:
            `TracedWrites`: a sequence of `Write`, filled as the block runs. Nothing is recorded for
            an arena that is not sealed.

        Raises:
            TypeError, ValueError: `limit`, at once.
            ArenaStateError: at the begin of the block: writes are being traced already.
            Unsupported: a thread blocks SIGSEGV, or arenas do not work here.
        """
        return trace_writes_of([self], limit)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Saves the copy that `pack` has made as an image, which `open_image` maps.

        Written to a new file in the same folder, which takes the place of `path` when it is whole
        and on disk: nobody ever sees half of it, whoever has the old one open goes on with it, and
        of two savers at once the last one wins. The file is read-only. Holds the GIL for most of
        the time.

        What can be saved: None, bool, int, float, complex, str, bytes, tuple, list, dict, set,
        frozenset, range, slice, the datetime family, Decimal, named tuples, and instances of
        classes made by a class statement on top of ``object``, with slots and attributes (UUID,
        Fraction and paths are). Classes, functions, modules and enum members are saved by name.
        Anything else is refused.

        Args:
            path: of the file.
            progress: called with bytes written and bytes in all, some times.

        Raises:
            ImageError: something cannot be saved, with the place where it is; or the file cannot
                be written.
            ArenaStateError: this is no arena that `pack` has made.
            Unsupported: arenas do not work here.
        """
        from frozen_arena.imaging import saving

        saving.save(self, path, progress=progress)

    def __repr__(self) -> str:
        return f"<Arena {self._name!r} {self.state}, {self.nbytes:,} bytes>"


_arenas: list[Arena] = []
_between_requests = Turns()
_faults_seen = (0, 0)  # process, and its page faults when it gave everything back
_resharer: Resharer | None = None
_prune_at = 64


def remember(arena: Arena) -> None:
    """Enters a new arena in the list of the process; now and then drops empty ones."""
    global _prune_at
    if len(_arenas) >= _prune_at:
        for dead in [one for one in _arenas if one.state != "building" and one.nbytes == 0]:
            _arenas.remove(dead)  # one by one: another thread may enter its own meanwhile
        _prune_at = 2 * len(_arenas) + 64
    _arenas.append(arena)


def arenas() -> list[Arena]:
    """All arenas of this process that hold memory or are being built, oldest first."""
    return [arena for arena in _arenas if arena.state == "building" or arena.nbytes > 0]


def sharing() -> Sharing:
    """What the calling process still shares, over all sealed arenas.

    Raises:
        Unsupported: ``/proc/self/pagemap`` cannot be read.
    """
    return _sharing_of(_arenas)


def explain(limit: int | None = 20) -> Explanation:
    """`Arena.explain` over all sealed arenas of this process.

    Args:
        limit: as there.

    Raises:
        TypeError, ValueError, Unsupported: as there.
    """
    return _explain(_arenas, limit)


def reshare(
    *, payload: bool = False, budget: float | None = None, min_copied: int | None = None
) -> int:
    """`Arena.reshare` of all sealed arenas of this process, to be called between requests.

    Args:
        payload: as there.
        budget: do only a part, and only if all these calls together have taken no more than this
            share of the time; 0.01 is a hundredth. For hosts, which can then call it after each
            request: a part takes some milliseconds, and most calls return at once. None: all.
        min_copied: do nothing unless this process may have copied so many bytes since the last
            call that did something. That bounds memory and not time. Told from its page faults
            (``ru_minflt`` of getrusage(2)), of which each copy is one: never too late, sometimes
            too early. None: always.

    Returns:
        Bytes given back.

    Raises:
        TypeError, ValueError: `budget` is no number, or not above 0 and at most 1; `min_copied` is
            no int, or below 0; or more than one argument is given.
        Unsupported: ``/proc/self/pagemap`` cannot be read.
    """
    if min_copied is not None:
        return _reshare_if_copied(min_copied, alone=budget is None and not payload)
    if budget is None:
        return _reshare(list(_arenas), payload, map_anew=True)
    if isinstance(budget, bool) or not isinstance(budget, (int, float)):
        raise TypeError(f"budget takes a number or None, not {type(budget).__name__}")
    if not 0 < budget <= 1:
        raise ValueError(f"budget is a share of the time, above 0 and at most 1; {budget} is not")
    if payload:
        raise ValueError("with a budget the objects lane alone is given back; drop payload=True")
    given_back = _between_requests.take(_arenas, budget)
    if given_back is None:
        raise Unsupported(_NO_PAGEMAP)
    return given_back


def trace_writes(*, limit: int = 1000) -> TracedWrites:
    """`Arena.trace_writes` over all sealed arenas of this process."""
    return trace_writes_of(arenas(), limit)


def reshare_by_itself(arena: Arena) -> None:
    """From now on children give copies of `arena`, which is sealed, back without being asked."""
    global _resharer
    arena._reshares = True
    native = core()
    if _resharer is None and native is not None:
        _resharer = Resharer(
            lambda: [one for one in arenas() if one._reshares],
            lambda: not native.block_is_open(),  # what is made now might lie in an arena
        )


def reshares_by_itself() -> bool:
    """Whether a thread of this process gives copies back without being asked."""
    return _resharer is not None and _resharer.is_running


def _reshare_if_copied(min_copied: int, *, alone: bool) -> int:
    global _faults_seen
    if isinstance(min_copied, bool) or not isinstance(min_copied, int):
        raise TypeError(f"min_copied takes an int or None, not {type(min_copied).__name__}")
    if min_copied < 0:
        raise ValueError(f"min_copied is a number of bytes, at least 0; {min_copied} is not")
    if not alone:
        raise ValueError("min_copied stands alone: drop payload and budget")
    from resource import RUSAGE_SELF, getrusage  # not where arenas do not work

    faults = getrusage(RUSAGE_SELF).ru_minflt
    process = os.getpid()  # a child counts from 0 again
    before = _faults_seen[1] if _faults_seen[0] == process else 0
    if (faults - before) * os.sysconf("SC_PAGE_SIZE") < min_copied:
        return 0
    # Who calls this after each request forks nobody, and keeps its page tables.
    given_back = _reshare(list(_arenas), payload=False, map_anew=False)
    _faults_seen = process, getrusage(RUSAGE_SELF).ru_minflt
    return given_back


def _reshare(chosen: Iterable[Arena], payload: bool, *, map_anew: bool) -> int:
    given_back = 0
    for arena in chosen:
        if arena.state != "sealed":
            continue
        for lane in range(2 if payload else 1):
            result = arena._handle.reshare(lane, map_anew=map_anew)
            if result is None:
                raise Unsupported(_NO_PAGEMAP)
            given_back += result[0]
    return given_back


def _explain(chosen: Iterable[Arena], limit: int | None) -> Explanation:
    from frozen_arena.explaining import explanation

    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise TypeError(f"limit takes a whole number or None, not {type(limit).__name__}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is a number from 1 up or None; {limit} is not")
    entries = [arena._handle.directory_entry() for arena in chosen if arena.state == "sealed"]
    return explanation.explain_own([entry for entry in entries if entry], limit)


def _sharing_of(chosen: Iterable[Arena]) -> Sharing:
    native = core()
    os_page_bytes = 4096 if native is None else int(native.probe_os_page_bytes())
    totals = [[0, 0, 0] for _ in _LANES]
    for arena in chosen:
        if arena.state != "sealed":
            continue
        counts = arena._handle.count_os_pages()
        if counts is None:
            raise Unsupported(_NO_PAGEMAP)
        for total, lane in zip(totals, counts, strict=True):
            for index, value in enumerate(lane):
                total[index] += value
    return Sharing(
        {
            name: LaneSharing(mapped, mapped - private, private, resident, os_page_bytes)
            for name, (mapped, resident, private) in zip(_LANES, totals, strict=True)
        }
    )
