"""Faults of memory: no memfd, no collapse, no /proc, little room, ENOMEM at every n-th call."""

from __future__ import annotations

import shutil

import pytest
from forking import run_python

# Builds, seals, forks, reads, changes: whatever the kernel refused, this must come out right.
WORK = """
with frozen_arena("faulty") as arena:
    data = {f"key-{n}": [str(n) * 2, (n + 1000, n / 7), {n: "größe"}] for n in range(3000)}
    large = bytearray(range(256)) * 20_000
    many = [n + 1000 for n in range(300_000)]
    del many[1000:]
with frozen_arena("second") as second:
    more = [str(n) * 3 for n in range(1000)]
def check():
    assert len(data) == 3000 and all(data[f"key-{n}"][0] == str(n) * 2 for n in range(3000))
    assert large == bytearray(range(256)) * 20_000
    assert many == [n + 1000 for n in range(1000)]
    assert more == [str(n) * 3 for n in range(1000)]
def child():
    check()
    data["key-5"].append("child")
    large[7] = 0
    large.extend(b"more")
    data.clear()
    gc.collect()
    return sum(map(len, more))
check()
assert fork_and_report(child) == sum(map(len, more))
check()
assert {arena.state, second.state} <= {"sealed", "abandoned"}, (arena.state, second.state)
assert [a._handle.audit() for a in (arena, second)] == [None, None]
"""

COUNT_PAGES = """
def reading():
    assert sum(len(value) for value in data.values()) == 9000
    return fa.sharing().private_os_pages
print(json.dumps({
    "private": fork_and_report(reading),
    "shared": fa.sharing().shared_os_pages,
    "overflow": arena.report.overflow_blocks,
    "states": [arena.state, second.state],
}))
"""


def _faults(names: str) -> dict[str, str | None]:
    return {"FROZEN_ARENA_TEST_FAULTS": names}


def test_without_faults_nothing_overflows() -> None:
    seen = run_python(WORK + COUNT_PAGES).json
    assert (seen["overflow"], seen["states"]) == (0, ["sealed", "sealed"])
    assert seen["shared"] > 500


def test_without_memfd_the_arena_works_and_says_so() -> None:
    seen = run_python(
        WORK
        + """
(memfd,) = [check for check in fa.status().checks if check.name == "memfd"]
print(json.dumps([memfd.ok, arena.state, second.state]))
for report in (arena.report, second.report):
    assert report.unsealed_bytes == report.mapped_bytes > 0, report
    (note,) = [note for note in report.notes if "immutable file" in note]
    assert note in str(report) and "frozen-arena doctor" in note, note
""",
        env=_faults("no_memfd"),
    ).json
    assert seen == [False, "sealed", "sealed"]


@pytest.mark.parametrize(
    ("limit", "remedy"),
    [("RLIMIT_DATA", "ulimit -d unlimited"), ("RLIMIT_FSIZE", "ulimit -f unlimited")],
)
def test_under_a_limit_that_files_cannot_keep_the_arena_is_ordinary_memory_and_says_why(
    limit: str, remedy: str
) -> None:
    size = 8 << 30 if limit == "RLIMIT_DATA" else 1 << 20
    checks, overflow, states = run_python(
        f"import resource\nresource.setrlimit(resource.{limit}, ({size}, {size}))\n"
        + WORK
        + "print(json.dumps([{check.name: [check.ok, check.detail, check.remedy]"
        " for check in fa.status().checks}, arena.report.overflow_blocks,"
        " [arena.state, second.state]]))\n",
    ).json
    ok, detail, advice = checks["memfd"]
    assert not ok
    assert f"{limit} is set" in detail
    assert remedy in advice
    for name in ("seal", "huge pages"):  # the one thing that is missing is blamed once
        assert checks[name] == [False, "not tried: it needs memfd", "see memfd"]
    assert (overflow, states) == (0, ["sealed", "sealed"])


def test_a_block_that_uses_up_all_descriptors_is_frozen_all_the_same() -> None:
    run_python(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        taken = []
        with frozen_arena() as arena:
            data = [[str(number) * 2] for number in range(10_000)]
            try:
                while True:
                    taken.append(os.dup(0))
            except OSError:
                pass
        for descriptor in taken:
            os.close(descriptor)
        assert arena.state == "sealed" and arena.report.frozen > 20_000, arena.report
        """
    )


def test_file_that_somebody_keeps_open_for_writing_is_reported_as_not_sealed() -> None:
    run_python(
        """
        import mmap
        def map_files():
            for name in os.listdir("/proc/self/fd"):
                with contextlib.suppress(FileNotFoundError):
                    if os.readlink(f"/proc/self/fd/{name}").startswith("/memfd:frozen-arena"):
                        yield mmap.mmap(int(name), mmap.PAGESIZE)
        import contextlib
        with frozen_arena("sealed") as arena:
            data = [str(number) * 2 for number in range(1000)]
        assert arena.report.unsealed_bytes == 0 and arena.report.notes == (), arena.report
        with frozen_arena("kept open") as arena:
            more = [str(number) * 2 for number in range(1000)]
            kept = list(map_files())
        report = arena.report
        assert kept and arena.state == "sealed"
        assert report.unsealed_bytes == report.mapped_bytes > 0, report
        assert "immutable file" in report.notes[0], report.notes
        """
    )


def test_without_collapse_the_arena_works_with_small_pages() -> None:
    work = """
assert arena.report.huge_bytes == 0 and second.report.notes == (), second.report
(note,) = arena.report.notes
assert "MADV_COLLAPSE" in note and note in str(arena.report), note
with frozen_arena(huge_pages="never") as unasked:
    many = [n + 1000 for n in range(600_000)]
assert unasked.report.notes == () and unasked.report.mapped_bytes > 16 << 20, unasked.report
"""
    seen = run_python(WORK + work + COUNT_PAGES, env=_faults("no_collapse")).json
    assert (seen["overflow"], seen["states"]) == (0, ["sealed", "sealed"])


def test_without_proc_the_arena_works_and_sharing_says_why_it_cannot_count() -> None:
    run_python(
        WORK
        + """
try:
    arena.sharing()
except fa.FrozenArenaError as error:
    assert "/proc" in str(error) or "pagemap" in str(error), error
else:
    raise AssertionError("counted without /proc")
""",
        env=_faults("no_proc"),
    )


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare(1)")
def test_where_proc_is_really_not_mounted_the_arena_works() -> None:
    shell = ["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    probe = run_python("print(json.dumps(os.path.exists('/proc/self')))", wrap=shell, status=None)
    if probe.returncode != 0 or probe.json:
        pytest.skip(f"may not unmount /proc here: {probe.stderr.strip()[-200:]}")
    finished = run_python(
        WORK
        + """
try:
    arena.sharing()
except fa.FrozenArenaError:
    print(arena.state, second.state)
""",
        wrap=shell,
    )
    assert finished.stdout == "sealed sealed\n"


@pytest.mark.parametrize(
    "names", ["no_memfd,no_collapse", "no_memfd,no_collapse,no_proc", "no_preferred,no_collapse"]
)
def test_several_faults_at_once(names: str) -> None:
    huge_bytes, notes = run_python(
        WORK + "print(json.dumps([arena.report.huge_bytes, len(arena.report.notes)]))\n",
        env=_faults(names),
    ).json
    assert huge_bytes == 0
    assert notes >= 1


@pytest.mark.parametrize("every", [1, 2, 3, 5, 7, 13])
@pytest.mark.parametrize("with_memfd", [True, False])
def test_kernel_refusing_every_nth_request_never_loses_data(every: int, with_memfd: bool) -> None:
    names = f"fail_every={every}" + ("" if with_memfd else ",no_memfd")
    seen = run_python(
        WORK
        + "print(json.dumps([a.report and a.report.overflow_blocks for a in (arena, second)]))\n",
        env=_faults(names),
    ).json
    if every == 1:
        assert seen[0] is None or seen[0] > 3000


@pytest.mark.parametrize(
    "room", [1, 48, 200, *(pytest.param(room, marks=pytest.mark.once) for room in (2, 4, 16))]
)
def test_address_space_too_small_for_the_arena_sends_the_data_to_the_ordinary_heap(
    room: int,
) -> None:
    run_python(
        """
        import resource
        room = int(sys.argv[1])
        # An ordinary heap with free pools: it takes the data without asking the system.
        ballast = [bytes(200) for _ in range(60_000)]
        kept = ballast[::1000]
        del ballast
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (room << 20), resource.RLIM_INFINITY))
        with frozen_arena() as arena:
            data = [[str(number) * 2] for number in range(20_000)]
        assert arena.state in ("sealed", "abandoned")
        assert data[19_999] == ["1999919999"]
        inside = sum(record in arena for record in data)
        assert inside == 0 if room <= 16 else room < 200 or inside == 20_000, (room, inside)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert fork_and_report(lambda: len(data)) == 20_000
        """,
        str(room),
    )


def test_memory_that_is_too_little_to_freeze_abandons_the_arena_with_a_warning() -> None:
    run_python(
        """
        import resource, warnings
        def lower(room):
            with open("/proc/self/statm") as statm:
                used = int(statm.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with frozen_arena() as arena:
                data = [number / 7 for number in range(2_000_000)]
                lower(1 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        (warning,) = seen
        assert warning.category is fa.FrozenArenaWarning and warning.filename == "<string>"
        assert "RLIMIT_AS" in str(warning.message), warning.message
        assert (arena.state, arena.report) == ("abandoned", None)
        assert data[7] == 1 and sys.getrefcount(data[8]) < 10 and gc.isenabled()
        with frozen_arena() as again:
            more = [str(number) * 2 for number in range(1000)]
        assert again.state == "sealed" and more[77] in again
        """
    )


def test_the_seal_leaves_the_address_space_that_the_data_left() -> None:
    run_python(
        """
        import resource
        with frozen_arena() as arena:
            data = [bytes(1 << 20) for _ in range(64)]
            with open("/proc/self/statm") as statm:
                used = int(statm.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + (80 << 20), resource.RLIM_INFINITY))
        assert arena.state == "sealed" and data[0] in arena
        assert len(bytearray(40 << 20)) == 40 << 20
        """
    )


@pytest.mark.parametrize("when", ["after the import", "after the seal", "in the worker"])
def test_worker_can_still_allocate_when_address_space_is_lowered_to_4_gib(when: str) -> None:
    run_python(
        """
        import resource
        def lower(): resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        when = sys.argv[1]
        if when == "after the import":
            lower()
        with frozen_arena() as arena:
            data = [[str(number) * 20] for number in range(200_000)]
        if when == "after the seal":
            lower()
        assert arena.report.overflow_blocks == 0, arena.report
        def work():
            if when == "in the worker":
                lower()
            block = bytearray(50_000_000)
            own = [[str(number) * 3] for number in range(100_000)]
            with frozen_arena() as mine:
                third = [[str(number) * 4] for number in range(10_000)]
            overflow, last = mine.report.overflow_blocks, data[199_999][0]
            return [len(block), len(own), overflow, last == "199999" * 20]
        assert fork_and_report(work) == [50_000_000, 100_000, 0, True]
        """,
        when,
    )


def test_empty_blocks_leave_no_memory_mapped_and_the_first_takes_little_address_space() -> None:
    seen = run_python(
        """
        import json, os
        def look():
            with open("/proc/self/maps") as lines:
                maps = lines.read().splitlines()
            spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
            return {
                "size": sum(end - begin for begin, end in spans),
                "files": sum("/memfd:" in line for line in maps),
                "descriptors": len(os.listdir("/proc/self/fd")),
            }
        before = look()
        import frozen_arena as fa
        def block():
            with fa.frozen_arena() as arena:
                pass
            report = arena.report
            assert (arena.state, arena.nbytes, fa.arenas()) == ("sealed", 0, [])
            assert report.blocks == report.mapped_bytes == report.live_bytes == 0, report
        seen = [before]
        for blocks in (1, 9, 400):
            for _ in range(blocks):
                block()
            seen.append(look())
        print(json.dumps(seen))
        """,
        prelude="",
    ).json
    before, first, settled, last = seen
    assert (last["files"], last["descriptors"]) == (0, before["descriptors"]), seen
    # malloc and pymalloc extend their heaps by a step of 132 KiB or 1 MiB now and then
    assert last["size"] - settled["size"] < 400 * 4096, ("less than an OS page a block", seen)
    assert first["size"] - before["size"] < 16 << 20, "what an arena leaves to a process"


def test_large_and_odd_sizes_in_a_block() -> None:
    run_python(
        """
        sizes = [0, 1, 7, 511, 512, 513, 4095, 4096, 65_537]
        sizes += [(1 << 20) - 33, 1 << 20, (1 << 20) + 1, 5 << 20, 33 << 20]
        with frozen_arena() as arena:
            raw = [bytearray(b"x" * size) for size in sizes]
            grown = bytearray()
            for size in sizes:
                grown.extend(b"y" * (size - len(grown)))
            shrunk = bytearray(40 << 20)
            del shrunk[100:]
            lists = [[None] * (size // 8) for size in sizes]
            for items in lists[:6]:
                items.extend([1] * 1000)
        assert [len(part) for part in raw] == sizes and all(set(part) <= {120} for part in raw)
        assert len(grown) == sizes[-1] and shrunk == bytearray(100)
        def change():
            for part in raw:
                part.extend(b"more")
                del part[: len(part) // 2]
            for items in lists:
                items.append(1)
                items.clear()
            return sum(map(len, raw)) > 0
        assert fork_and_report(change) is True
        assert [len(part) for part in raw] == sizes
        """
    )
