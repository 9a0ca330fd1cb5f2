"""Security of what is sealed: who can change it, who can reach it, and what a wild write spoils."""

from __future__ import annotations

import os

import pytest
from forking import run_python

FILES = """
import ctypes, errno, fcntl, mmap, struct, subprocess
ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE (linux/fcntl.h)
def descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("/memfd:frozen-arena"):
                yield int(name)
        except FileNotFoundError:
            pass  # of the listing itself
def mappings(access):
    with open("/proc/self/maps") as lines:
        for line in lines:
            range_, flags, *_ = line.split()
            if flags == access and "/memfd:frozen-arena" in line:
                begin, end = (int(number, 16) for number in range_.split("-"))
                yield begin, end
def arena_mappings(access):
    return [(b, e) for b, e in mappings(access) if any(id(o) in range(b, e) for o in sample)]
def is_refused(function, *args):
    try:
        function(*args)
    except (PermissionError, OSError) as error:
        assert error.errno in (errno.EPERM, errno.EACCES), error
        return True
    return False
def cannot_change(file):
    size = os.fstat(file).st_size
    assert fcntl.fcntl(file, fcntl.F_GET_SEALS) & ALL_SEALS == ALL_SEALS
    return [
        is_refused(os.pwrite, file, b"x", 0),
        is_refused(os.ftruncate, file, size + 1),
        is_refused(os.ftruncate, file, 0),
        is_refused(os.posix_fallocate, file, size, 4096),
        is_refused(mmap.mmap, file, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
        is_refused(fcntl.fcntl, file, fcntl.F_ADD_SEALS, 0x10),
    ] == [True] * 6
"""

# Made with their hashes, and never looked at again by whoever writes over them.
DATA = """
with frozen_arena() as arena:
    data = [[f"{n}-{n}", (n + 1000, n / 7)] for n in range(5000)]
sample = data[::100]
def right():
    return data == [[f"{n}-{n}", (n + 1000, n / 7)] for n in range(5000)]
assert arena.state == "sealed" and arena.report.unsealed_bytes == 0 and right()
"""


def test_file_that_was_opened_a_second_time_cannot_be_changed_after_the_seal() -> None:
    run_python(
        FILES
        + """
with frozen_arena() as arena:
    data = [[f"{n}-{n}", (n + 1000, n / 7)] for n in range(5000)]
    second = [os.open(f"/proc/self/fd/{file}", os.O_RDWR) for file in descriptors()]
assert second and arena.state == "sealed" and arena.report.unsealed_bytes == 0
def try_to_change():
    return all(cannot_change(file) for file in second)
assert try_to_change()  # by this process, through a descriptor of its own,
assert fork_and_report(try_to_change)  # by a child, and by a program that inherits it
program = '''import os, sys
for file in map(int, sys.argv[1:]):
    try:
        os.pwrite(file, b"x", 0)
    except PermissionError:
        continue
    sys.exit(1)
'''
subprocess.run([sys.executable, "-c", program, *map(str, second)], pass_fds=second, check=True)
assert data == [[f"{n}-{n}", (n + 1000, n / 7)] for n in range(5000)]
"""
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root opens /proc/PID/map_files")
def test_file_cannot_be_changed_through_proc_by_root_nor_by_a_child() -> None:
    run_python(
        FILES
        + DATA
        + """
places = arena_mappings("rw-p")
assert places
def try_to_change(pid):
    for begin, end in places:
        path = f"/proc/{pid}/map_files/{begin:x}-{end:x}"
        try:
            file = os.open(path, os.O_RDWR)
        except OSError as error:
            assert error.errno in (errno.EPERM, errno.EACCES), error
            continue
        assert cannot_change(file)
        os.close(file)
    return True
assert try_to_change("self")
parent = os.getpid()
assert fork_and_report(lambda: try_to_change(parent))
assert right()
"""
    )


def test_no_descriptor_is_left_after_the_seal_and_none_reaches_programs_before_it() -> None:
    run_python(
        FILES
        + """
look = '''import os
names = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{name}")]
assert not any("frozen-arena" in name for name in names), names
assert "memfd:frozen-arena" not in open("/proc/self/maps").read()
'''
def exec_sees_nothing():
    subprocess.run([sys.executable, "-c", look], close_fds=False, check=True)
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", look])
    return os.waitpid(pid, 0)[1] == 0
with frozen_arena() as arena:
    data = [[str(n)] for n in range(5000)]
    files = list(descriptors())
    assert files and not any(map(os.get_inheritable, files))
    assert exec_sees_nothing()
assert arena.state == "sealed" and list(descriptors()) == []
assert exec_sees_nothing()
"""
    )


def test_nothing_that_can_be_executed_is_mapped_and_the_file_cannot_be_made_executable() -> None:
    run_python(
        FILES
        + """
def executable():
    with open("/proc/self/maps") as lines:
        return {line.split()[0] for line in lines if "x" in line.split()[1]}
subprocess.run(["true"])  # what a first call maps is there
before = executable()
with frozen_arena() as arena:
    data = [[str(n)] for n in range(5000)]
    large = bytes(64 << 20)
    (file, *_) = descriptors()
    mode = os.fstat(file).st_mode & 0o111
    if mode == 0:  # MFD_NOEXEC_SEAL, Linux 6.3
        assert is_refused(os.fchmod, file, 0o777)
    assert executable() == before
assert executable() == before
assert fork_and_report(lambda: executable() <= before)
"""
    )


@pytest.mark.parametrize("what", ["headers", "payload", "every byte"])
def test_memory_errors_of_a_child_stay_in_that_child(what: str) -> None:
    run_python(
        FILES
        + DATA
        + f"""
what = {what!r}
places = arena_mappings("rw-p") + list(mappings("rw-p"))
def spoil():
    if what == "headers":
        for one in sample:
            ctypes.memset(id(one), 0xFF, 32)
    elif what == "payload":
        for one in sample:
            items = struct.unpack_from("P", ctypes.string_at(id(one), 32), 24)[0]
            ctypes.memset(items, 0x41, 8)
    else:
        for begin, end in places:
            ctypes.memset(begin, 0xEE, end - begin)
    os._exit(7)
pristine = arena._handle.audit()
assert pristine is None, pristine
other = os.pipe()
witness = os.fork()
if witness == 0:  # a sibling, forked before, that looks afterwards
    os.read(other[0], 1)
    os._exit(0 if right() else 1)
pid = os.fork()
if pid == 0:
    spoil()
status = os.waitpid(pid, 0)[1]
assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 7, status
os.write(other[1], b"x")
assert os.waitpid(witness, 0)[1] == 0
assert right() and fork_and_report(right) and arena._handle.audit() is None
"""
    )


def test_pristine_copy_cannot_be_written_to_by_the_process_that_maps_it() -> None:
    run_python(
        FILES
        + DATA
        + """
copies = list(mappings("r--p"))
assert copies
for begin, end in copies:
    pid = os.fork()
    if pid == 0:
        import faulthandler
        faulthandler.disable()
        ctypes.memset(begin, 0xEE, 1)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == 11, status
assert right() and arena._handle.audit() is None
"""
    )
