"""Faults that come from the system: sandboxes, limits, locked memory, killed processes.

The program ends with the right result, unfrozen or partly frozen, or with what the same fault does
to a program without an arena: MemoryError, or an end by the kernel.
"""

from __future__ import annotations

import os
import platform
import random
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forking import PRELUDE, TESTS, run_python

WORK = """
def make():
    return {f"key-{n}": [str(n) * 2, (n + 1000, n / 7)] for n in range(2000)}
with frozen_arena() as arena:
    data = make()
    large = bytearray(range(256)) * 20_000
def right():
    return data == make() and large == bytearray(range(256)) * 20_000
def change():
    assert right()
    large[7] = 0
    data.clear()
    return True
assert right() and fork_and_report(change) and right(), arena.report
"""

MEMFD_CREATE = {"x86_64": 319, "aarch64": 279}
# Refuses memfd_create with an error (linux/seccomp.h, linux/filter.h): load the number of the call,
# skip the next instruction unless it is that, refuse; allow.
SANDBOX = """
import ctypes, errno, struct
code = b"".join(struct.pack("HBBI", *step) for step in [
    (0x20, 0, 0, 0), (0x15, 0, 1, {number}), (0x06, 0, 0, 0x00050000 | errno.{error}),
    (0x06, 0, 0, 0x7FFF0000)])
kept = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(kept))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, FILTER
"""


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_sandbox_that_refuses_memfd_create_leaves_ordinary_memory(error: str) -> None:
    number = MEMFD_CREATE.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of memfd_create on {platform.machine()} is not known here")
    run_python(
        SANDBOX.format(number=number, error=error)
        + WORK
        + """
assert arena.state == "sealed" and arena.report.unsealed_bytes == arena.report.mapped_bytes > 0
assert [check.ok for check in fa.status().checks if check.name == "memfd"] == [False]
"""
    )


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare(1)")
def test_where_memory_may_not_be_overcommitted_the_arena_is_ordinary_memory(tmp_path: Path) -> None:
    """The setting is shown to this process alone: really set, it is every process's."""
    shown = tmp_path / "overcommit_memory"
    shown.write_text("2\n")
    place = "/proc/sys/vm/overcommit_memory"
    wrap = ["unshare", "-m", "sh", "-c", f'mount --bind {shown} {place} && exec "$@"', "sh"]
    probe = run_python(f"print(open({place!r}).read())", wrap=wrap, status=None)
    if probe.returncode != 0 or probe.stdout.strip() != "2":
        pytest.skip(f"may not mount here: {probe.stderr.strip()[-200:]}")
    run_python(
        WORK
        + """
(memfd,) = [check for check in fa.status().checks if check.name == "memfd"]
assert not memfd.ok and "overcommit" in memfd.detail, memfd
assert arena.report.unsealed_bytes == arena.report.mapped_bytes > 0
""",
        wrap=wrap,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may lock as much memory as it likes")
def test_a_process_that_locks_all_its_memory_freezes_and_forks() -> None:
    run_python(
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "assert libc.mlockall(1 | 2) == 0  # MCL_CURRENT, MCL_FUTURE\n" + WORK
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_locked_memory_that_is_used_up_is_a_memory_error_or_the_right_result() -> None:
    finished = run_python(
        """
import ctypes, resource
import concurrent.futures
libc = ctypes.CDLL(None)
hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
size = 256 << 20 if hard == resource.RLIM_INFINITY else min(hard, 256 << 20)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (size, size))
os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
libc.mlockall(2)
taken = []
try:
    with frozen_arena() as arena:
        for n in range(600):
            taken.append(bytearray(1 << 20))
except MemoryError:
    print("MemoryError", len(taken))
else:
    print("all", len(taken))
assert all(len(one) == 1 << 20 and not any(one[::4096]) for one in taken)
""",
    )
    assert finished.stdout.split()[0] in ("MemoryError", "all")


# Loads, forks a worker that looks at its data when the parent is gone, and goes on with blocks and
# forks until it is killed. "ready" says that the worker has begun.
VICTIM = """
with frozen_arena("kept") as arena:
    data = {f"key-{n}": [str(n) * 2, (n + 1000, n / 7)] for n in range(2000)}
def right():
    return data == {f"key-{n}": [str(n) * 2, (n + 1000, n / 7)] for n in range(2000)}
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    os.read(reader, 1)  # ends when the parent does
    gc.collect()
    print("worker is right" if right() else "worker is wrong", flush=True)
    os._exit(0)
os.close(reader)
print("ready", flush=True)
while True:
    with frozen_arena() as another:
        more = [[str(n)] * 3 for n in range(3000)]
        if os.fork() == 0:
            os._exit(0 if right() else 1)
        assert os.wait()[1] == 0
    if os.fork() == 0:
        os._exit(0 if right() and len(more) == 3000 else 1)
    assert os.wait()[1] == 0
"""


@pytest.mark.parametrize("seed", range(8))
def test_parent_that_is_killed_at_any_moment_leaves_its_workers_their_data(seed: int) -> None:
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + VICTIM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        # any moment of the loop: none is awaited
        select.select([], [], [], random.Random(seed).uniform(0, 0.3))
        assert victim.poll() is None
        victim.send_signal(signal.SIGKILL)
        out, errors = victim.communicate(timeout=60)
    assert (victim.returncode, errors) == (-signal.SIGKILL, "")
    assert out == "worker is right\n"


def test_worker_that_is_killed_at_any_moment_harms_neither_parent_nor_siblings() -> None:
    run_python(
        WORK
        + """
import random, select, signal
random.seed(5)
for turn in range(12):
    begun, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(begin, b"x")
        while True:
            for value in data.values():
                value.append(turn)
            large.extend(b"more")
            gc.collect()
            fa.reshare()
    os.read(begun, 1)
    os.close(begun), os.close(begin)
    select.select([], [], [], random.uniform(0, 0.05))
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert right()
assert fork_and_report(right) and arena._handle.audit() is None
"""
    )


def _new_cgroup(limit: int) -> Path | None:
    """A memory cgroup of our own, or None where there may be none."""
    for top, key in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        folder = Path("/sys/fs/cgroup", top, f"frozen-arena-test-{os.getpid()}")
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / key).write_text(str(limit))
        except OSError:
            folder.rmdir()
            continue
        return folder
    return None


@pytest.mark.parametrize("where", ["block", "worker"])
def test_memory_cgroup_that_is_full_ends_whoever_filled_it_and_nobody_else(where: str) -> None:
    group = _new_cgroup(160 << 20)
    if group is None:
        pytest.skip("no memory cgroup can be made here")
    try:
        finished = run_python(
            WORK
            + f"""
import signal
def fill():
    open("{group}/cgroup.procs", "w").write(str(os.getpid()))
    if {where!r} == "block":
        with frozen_arena():
            more = [bytes([n % 256]) * 100_000 for n in range(10_000)]
    else:
        more = [bytes([n % 256]) * 100_000 for n in range(10_000)]
    os._exit(3)
pid = os.fork()
if pid == 0:
    fill()
status = os.waitpid(pid, 0)[1]
print(os.waitstatus_to_exitcode(status))
assert right() and fork_and_report(right) and arena._handle.audit() is None
"""
        )
        assert int(finished.stdout) == -signal.SIGKILL
    finally:
        group.rmdir()
