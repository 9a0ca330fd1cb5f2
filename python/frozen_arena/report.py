"""Reports: what a seal did, and what a process still shares. Ledgers that add up to the byte."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from frozen_arena.ledger import Ledger, as_html, as_text, mib

__all__ = ["FreezeReport", "LaneSharing", "Sharing", "TypeCount"]


@dataclass(frozen=True, slots=True)
class TypeCount:
    """How many objects of one type met one fate.

    Attributes:
        type: ``module.qualname``.
        reason: why they are mortal; empty for frozen ones.
        count: objects.
    """

    type: str
    reason: str
    count: int

    def __iter__(self) -> Any:
        return iter((self.type, self.reason, self.count))


@dataclass(frozen=True, slots=True)
class FreezeReport:
    """What the end of a block did.

    ``objects == frozen + mortal``, ``blocks == objects + unknown_blocks``, and ``mapped_bytes ==
    live_bytes + free_bytes + punched_bytes``.

    Attributes:
        blocks: live blocks of the objects lane.
        objects: blocks in which an object was found.
        frozen: objects whose reading writes nothing any more. On CPython 3.11, which has no
            immortal objects (PEP 683 came with 3.12), those that were warmed and untracked; their
            counts are still written.
        mortal: objects left as they were, by type and reason in ``mortal_types``.
        unknown_blocks: blocks that hold no object (dict keys tables on 3.11 and 3.12, buffers).
        warmed_hashes: cached hashes that were filled in.
        warmed_utf8: UTF-8 forms of texts that were made.
        materialised_dicts: instance dicts that were made (``instance_dicts=True``).
        untracked: objects that were taken out of the collector's lists.
        frozen_types: the frozen ones by type, most frequent first.
        mortal_types: the mortal ones by type and reason, most frequent first.
        live_bytes: bytes of live blocks at the seal, rounded up to their size class.
        free_bytes: bytes beside live blocks on OS pages that are kept.
        punched_bytes: bytes of OS pages without a live block, given back to the system.
        mapped_bytes: bytes of OS pages that belong to the arena.
        huge_bytes: bytes of ``mapped_bytes`` that are huge pages.
        unsealed_bytes: bytes that could not be put behind an immutable file; they are shared
            copy-on-write as ordinary memory is. 0 where memfd works.
        overflow_blocks: allocations that the arena could not take (``limit=``, no memory); they
            lie in the ordinary heap and are not frozen.
        overflow_bytes: bytes that these asked for; what they have grown by since is not counted.
        seconds: by phase: ``collect``, ``freeze`` and ``seal``.
        notes: sentences on what went less well than it could.
    """

    blocks: int
    objects: int
    frozen: int
    mortal: int
    unknown_blocks: int
    warmed_hashes: int
    warmed_utf8: int
    materialised_dicts: int
    untracked: int
    frozen_types: tuple[TypeCount, ...]
    mortal_types: tuple[TypeCount, ...]
    live_bytes: int
    free_bytes: int
    punched_bytes: int
    mapped_bytes: int
    huge_bytes: int
    unsealed_bytes: int
    overflow_blocks: int
    overflow_bytes: int
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def resident_bytes(self) -> int:
        """Bytes of memory that the sealed arena takes: ``live_bytes + free_bytes``."""
        return self.live_bytes + self.free_bytes

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """What adds up, to the object and to the byte."""
        huge = self.huge_bytes
        return (
            Ledger(
                "objects",
                (("frozen", self.frozen), ("mortal", self.mortal)),
                ("objects", self.objects),
            ),
            Ledger(
                "blocks",
                (("hold an object", self.objects), ("hold none", self.unknown_blocks)),
                ("blocks of the objects lane", self.blocks),
            ),
            Ledger(
                "memory",
                (
                    ("live", self.live_bytes),
                    ("free beside it", self.free_bytes),
                    ("punched", self.punched_bytes),
                ),
                ("mapped", self.mapped_bytes),
                "bytes",
            ),
            Ledger(
                "pages",
                (("in huge pages", huge), ("in OS pages", self.mapped_bytes - huge)),
                ("mapped", self.mapped_bytes),
                "bytes",
            ),
            Ledger(
                "file",
                (
                    ("behind a sealed file", self.mapped_bytes - self.unsealed_bytes),
                    ("behind none", self.unsealed_bytes),
                ),
                ("mapped", self.mapped_bytes),
                "bytes",
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as plain dicts, lists, numbers and strings, ready for JSON."""
        return {**asdict(self), "resident_bytes": self.resident_bytes}

    def __str__(self) -> str:
        times = ", ".join(f"{name} {value:.3f}" for name, value in self.seconds.items())
        lines = [*as_text(self.ledgers), f"seconds: {times}"]
        lines += [
            f"mortal: {count:,} {name} ({reason})" for name, reason, count in self.mortal_types[:20]
        ]
        if self.overflow_blocks:
            lines.append(
                f"{self.overflow_blocks:,} allocations ({mib(self.overflow_bytes)}) did not "
                f"fit and lie in the "
                "ordinary heap, where workers copy them; raise limit= or the memory limit"
            )
        lines += list(self.notes)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """For notebooks."""
        mortal = [
            f"mortal: {count:,} {name} ({reason})" for name, reason, count in self.mortal_types[:20]
        ]
        return as_html("What the end of the block did", self.ledgers, [*mortal, *self.notes])


@dataclass(frozen=True, slots=True)
class LaneSharing:
    """OS pages of one lane in this process: ``shared_os_pages + private_os_pages == os_pages``.

    Memory that is behind no sealed file (``FreezeReport.unsealed_bytes``) has no such mark in
    pagemap: what is resident of it counts as private, whether something was written or not.

    Attributes:
        os_pages: OS pages that are mapped.
        shared_os_pages: of these still those of the sealed file (or never touched by this
            process).
        private_os_pages: copied by this process, because something wrote there.
        resident_os_pages: present in the page tables of this process.
        os_page_bytes: bytes in an OS page.
    """

    os_pages: int
    shared_os_pages: int
    private_os_pages: int
    resident_os_pages: int
    os_page_bytes: int

    @property
    def shared_bytes(self) -> int:
        """``shared_os_pages`` in bytes."""
        return self.shared_os_pages * self.os_page_bytes

    @property
    def private_bytes(self) -> int:
        """``private_os_pages`` in bytes."""
        return self.private_os_pages * self.os_page_bytes


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the calling process still shares, by lane (``"objects"``, ``"payload"``) and in all.

    The measure is ``/proc/self/pagemap`` (Linux, Documentation/admin-guide/mm/pagemap.rst).
    """

    lanes: Mapping[str, LaneSharing]

    def _sum(self, field: str) -> int:
        return sum(int(getattr(lane, field)) for lane in self.lanes.values())

    @property
    def os_pages(self) -> int:
        """OS pages that are mapped."""
        return self._sum("os_pages")

    @property
    def shared_os_pages(self) -> int:
        """OS pages that are still those of the sealed files."""
        return self._sum("shared_os_pages")

    @property
    def private_os_pages(self) -> int:
        """OS pages that this process has copied."""
        return self._sum("private_os_pages")

    @property
    def resident_os_pages(self) -> int:
        """OS pages in the page tables of this process."""
        return self._sum("resident_os_pages")

    @property
    def shared_bytes(self) -> int:
        """``shared_os_pages`` in bytes."""
        return self._sum("shared_bytes")

    @property
    def private_bytes(self) -> int:
        """``private_os_pages`` in bytes."""
        return self._sum("private_bytes")

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts and numbers, ready for JSON."""
        totals = ("os_pages", "shared_os_pages", "private_os_pages", "resident_os_pages")
        return {
            **{name: getattr(self, name) for name in (*totals, "shared_bytes", "private_bytes")},
            "lanes": {name: asdict(lane) for name, lane in self.lanes.items()},
        }

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """What adds up: by lane, and the lanes to the whole."""
        lanes = tuple(
            Ledger(
                name,
                (("shared", lane.shared_bytes), ("private", lane.private_bytes)),
                ("mapped", lane.os_pages * lane.os_page_bytes),
                "bytes",
            )
            for name, lane in self.lanes.items()
        )
        mapped = sum(ledger.whole[1] for ledger in lanes)
        return (
            *lanes,
            Ledger(
                "in all",
                (("shared", self.shared_bytes), ("private", self.private_bytes)),
                ("mapped", mapped),
                "bytes",
            ),
            Ledger(
                "present",
                (
                    ("in the page tables", self.resident_os_pages),
                    ("not touched, or swapped", self.os_pages - self.resident_os_pages),
                ),
                ("OS pages", self.os_pages),
            ),
        )

    def __str__(self) -> str:
        return "\n".join(as_text(self.ledgers))

    def _repr_html_(self) -> str:
        """For notebooks."""
        return as_html("What this process shares", self.ledgers)
