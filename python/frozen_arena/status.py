"""`status()`: whether arenas work here, and what to do where the machine gives less."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from typing import Any

from frozen_arena._support import core, reason_unsupported
from frozen_arena.ledger import Ledger, as_html, as_text

__all__ = ["Check", "Status", "status"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that arenas use.

    Attributes:
        name: what it is.
        ok: it works here.
        detail: what was found, and where something is missing, why.
        remedy: what to do, or None when nothing needs doing.
        cost: what its lack costs, in figures (``python -m bench.degradations`` and others of
            ``bench/`` print them), or None when nothing is missing.
    """

    name: str
    ok: bool
    detail: str
    remedy: str | None = None
    cost: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What works here.

    Attributes:
        available: arenas work in this interpreter.
        reason: why not, or None.
        python: version and build of the interpreter.
        kernel: name and release of the kernel.
        checks: what arenas use, one by one.
    """

    available: bool
    reason: str | None
    python: str
    kernel: str
    checks: tuple[Check, ...]

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """What adds up: checks by how they went."""
        good = sum(check.ok for check in self.checks)
        bad = sum(not check.ok for check in self.checks)
        parts = (("work", good), ("do not", bad))
        return (Ledger("checks", parts, ("things that arenas use", len(self.checks))),)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return "\n".join([f"{self.python}, {self.kernel}", *as_text(self.ledgers), *self._lines()])

    def _repr_html_(self) -> str:
        """For notebooks."""
        return as_html(f"{self.python}, {self.kernel}", self.ledgers, self._lines())

    def _lines(self) -> list[str]:
        if not self.available:
            return [f"arenas do not work here: {self.reason}"]
        return [
            f"{check.name}: {'ok' if check.ok else 'no'}, {check.detail}"
            + "".join(f"; {more}" for more in (check.cost, check.remedy) if more)
            for check in self.checks
        ]


def status() -> Status:
    """Looks at interpreter, kernel and hooks. Makes a memfd of 2 MiB, and closes it again."""
    debug = " debug" if hasattr(sys, "gettotalrefcount") else ""
    python = f"{platform.python_implementation()} {platform.python_version()}{debug}"
    kernel = f"{platform.system()} {platform.release()}"
    native = core()
    if native is None:
        return Status(False, reason_unsupported(), python, kernel, ())
    return Status(
        True,
        None,
        python,
        kernel,
        (_immortal(), *_kernel_checks(native.probe()), _hooks(native.hooks())),
    )


def _immortal() -> Check:
    if sys.version_info >= (3, 12):
        return Check("immortal objects", True, "reading a frozen object writes nothing (PEP 683)")
    return Check(
        "immortal objects",
        False,
        "CPython 3.11 has none: reading copies OS pages of object headers; payload stays shared",
        "use CPython 3.12 or newer; until then, workers give copies back by themselves",
        "a pass over records from JSON copies 77 % of their arena, until it is given back",
    )


# What WhyNoFiles (arena/os_memory.h) says, and what to do about it.
_LIFT = {
    "RLIMIT_DATA is set": "ulimit -d unlimited",
    "RLIMIT_FSIZE is set": "ulimit -f unlimited",
    "vm.overcommit_memory is 2": "sysctl vm.overcommit_memory=0",
}


def _kernel_checks(found: dict[str, Any]) -> list[Check]:
    no_files = found["why_no_files"]
    untried, first = "not tried: it needs memfd", "see memfd"

    def check(name: str, ok: bool, good: str, bad: str, remedy: str, cost: str) -> Check:
        if ok:
            return Check(name, ok, good)
        return Check(name, ok, bad, remedy, cost if bad != untried else None)

    return [
        check(
            "memfd",
            found["memfd"],
            "arenas lie in unnamed files; fork() does not copy their page tables",
            f"{no_files or 'memfd_create is refused'}: arenas are ordinary private memory, and "
            "fork() takes longer with their size",
            f"lift it: {_LIFT[no_files]}"
            if no_files
            else "allow memfd_create in the sandbox (seccomp) profile",
            "fork() copies 2.4 KiB of page tables more for each MiB, for each worker; "
            "copies cannot be counted or given back",
        ),
        check(
            "seal",
            found["seal"],
            "a finished arena cannot be changed by anybody (F_SEAL_WRITE)",
            "files cannot be sealed: nothing stops another process of this user from "
            "writing to them"
            if found["memfd"]
            else untried,
            "allow memfd_create with MFD_ALLOW_SEALING and fcntl(F_ADD_SEALS)"
            if found["memfd"]
            else first,
            "none in memory; what a bug in another process could overwrite is all of an arena",
        ),
        check(
            "huge pages",
            found["collapse"],
            "arenas are built in huge pages of 2 MiB (MADV_COLLAPSE)",
            "MADV_COLLAPSE is refused: arenas lie in OS pages of the usual size, and a "
            "first pass takes longer"
            if found["memfd"]
            else untried,
            "use Linux 6.1 or newer with transparent huge pages built in"
            if found["memfd"]
            else first,
            "a worker's first pass takes 12.5 page faults for each MiB instead of 1.4",
        ),
        check(
            "OS page accounting",
            found["pagemap"],
            "/proc/self/pagemap tells shared OS pages from copied ones",
            "/proc/self/pagemap cannot be read: sharing() cannot count",
            "mount /proc in the container",
            "none in memory; sharing() and reshare() raise Unsupported, so copies stay",
        ),
    ]


def _hooks(found: dict[str, Any]) -> Check:
    if not found["installed"]:
        return Check("hooks", True, "not installed yet; the first block installs them")
    if not found["raw_in_chain"]:
        return Check(
            "hooks",
            False,
            "somebody has put an older allocator back: freeing a frozen object would crash",
            "enter a block at once; start other hooks than tracemalloc after the first block",
            "the process may end at the next free of a frozen object",
        )
    where = "RAW, MEM and OBJ" if found["permanent"] or found["blocks_in_chain"] else "RAW"
    return Check("hooks", True, f"in place for {where} above {found['base']}")
