"""Explaining another process: who may look, what is in the way, and what to do about it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from frozen_arena._support import core, reason_unsupported
from frozen_arena.errors import FrozenArenaError
from frozen_arena.explaining.directory import Directory, find_directory
from frozen_arena.explaining.explanation import Explanation, explain_process
from frozen_arena.explaining.process import NotReadable, Process

__all__ = ["CannotLook", "explain_pid"]

_SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


class CannotLook(FrozenArenaError):
    """A process cannot be explained; the message says why, and what would help."""


def explain_pid(pid: int, limit: int | None = 20) -> Explanation:
    """Names what a running process has copied of its sealed arenas.

    Reads ``/proc/PID/{maps,pagemap,mem}``. The process is not stopped, and nothing is loaded into
    it. It may run another version of CPython and of this package than the caller: how its objects
    are laid out stands in its own memory.

    Args:
        pid: the process; it needs the rights of ptrace(2) to look at it: the same user, and where
            kernel.yama.ptrace_scope is not 0, an ancestor of it or CAP_SYS_PTRACE.
        limit: as in `frozen_arena.explain`.

    Raises:
        CannotLook: it is gone, another user's, not Python, without arenas, or the kernel forbids
            it.
    """
    if core() is None:
        raise CannotLook(reason_unsupported() or "arenas do not work here")
    try:
        process = Process(pid)
    except OSError as error:
        raise CannotLook(_why_not(pid, error)) from error
    with process:
        try:
            root = find_directory(process)
            if not root:
                raise CannotLook(_why_no_arena(pid, process))
            directory = Directory(process, root)
            if not directory.arenas:
                raise CannotLook(
                    f"process {pid} has loaded frozen arena, but has no sealed arena: nothing to "
                    "explain"
                )
            return explain_process(process, directory, None, limit)
        except NotReadable as error:
            if not _exists(pid):
                raise CannotLook(f"process {pid} ended while it was looked at") from error
            raise CannotLook(f"process {pid} cannot be read: {error}; try again") from error


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _why_not(pid: int, error: OSError) -> str:
    """Why the memory of a process cannot be opened."""
    if not Path("/proc/self").exists():
        return "/proc is not mounted; mount it to look at other processes"
    if not _exists(pid):
        return f"there is no process with the PID {pid}"
    if error.errno == errno.ESRCH:
        return f"process {pid} has no memory: it has ended, or belongs to the kernel"
    return _what_forbids(pid, Path(f"/proc/{pid}").stat().st_uid, error)


def _ptrace_scope() -> str:
    """What the Yama security module grants (kernel.yama.ptrace_scope), ``""`` without it."""
    with contextlib.suppress(OSError):
        return _SCOPE.read_text().strip()
    return ""


def _what_forbids(pid: int, owner: int, error: OSError) -> str:
    """Which rule keeps this process from looking at one of user `owner`."""
    mine = os.geteuid()
    if mine not in (0, owner) and owner != 0:
        return (
            f"process {pid} belongs to user {owner}, not to {mine}; run this as that user or root"
        )
    if mine != 0 and owner == 0:
        return (
            f"process {pid} belongs to root, or has changed user, or may not be dumped "
            "(prctl PR_SET_DUMPABLE); run this as root"
        )
    scope = _ptrace_scope()
    if scope in ("1", "2", "3"):
        help_ = {
            "1": "set it to 0 (sysctl kernel.yama.ptrace_scope=0), or run this as root",
            "2": "run this with CAP_SYS_PTRACE, as root does, or set it to 0 (sysctl)",
            "3": "nothing helps until the next boot",
        }[scope]
        return (
            f"process {pid} may not be looked at: kernel.yama.ptrace_scope is {scope}, which "
            f"grants that to {'ancestors' if scope == '1' else 'nobody but administrators'} "
            f"only; {help_}"
        )
    return (
        f"process {pid} may not be looked at: {error.strerror}; it has other rights than this one "
        "(capabilities, user namespace), or a container or security module forbids ptrace(2): "
        "run this in the same container, with CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
    )


def _why_no_arena(pid: int, process: Process) -> str:
    """What a process is, in which the compiled module is not mapped."""
    name = "unknown"
    with contextlib.suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    mappings = process.maps()
    if not mappings:
        return f"process {pid} ({name}) has no memory: it has ended, or belongs to the kernel"
    if any("python" in Path(mapping.path).name for mapping in mappings if mapping.path):
        return f"process {pid} ({name}) has not loaded frozen arena: nothing to explain"
    return f"process {pid} ({name}) is not Python, as far as its mappings say: nothing to explain"
