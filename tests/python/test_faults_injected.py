"""Every request to the kernel that a program with a block makes is refused once.

A parent forks a child for each n, which does the work with its n-th request refused: there are as
many children as requests. Each must come to the right result.
"""

from __future__ import annotations

from collections.abc import Callable

from forking import run_python

# Small parts of every lane: each way to get, give back, move, seal and share memory occurs.
WORK = """
import contextlib, signal, warnings
warnings.simplefilter("ignore", fa.FrozenArenaWarning)  # of an arena that could not be frozen
def make():
    return {f"key-{n}": [str(n) * 2, (n + 1000, n / 7), {n: "größe"}] for n in range(300)}
def work():
    with frozen_arena("faulty", reshare="never") as arena:
        data = make()
        large = bytearray(range(256)) * 4_000
        many = [n + 1000 for n in range(20_000)]
        del many[500:]
        if os.fork() == 0:  # while it is open
            data["key-5"].append("child")
            large[7] = 0
            os._exit(0 if len(data) == 300 else 1)
        assert os.wait()[1] == 0
        late = [str(n) * 3 for n in range(1000)]
    def right():
        assert data == make() and late == [str(n) * 3 for n in range(1000)]
        assert large == bytearray(range(256)) * 4_000
        assert many == [n + 1000 for n in range(500)]
        return True
    def change():
        right()
        large[7] = 0
        data.clear()
        with contextlib.suppress(fa.FrozenArenaError):
            fa.reshare()
        return True
    right()
    assert fork_and_report(change) and right()
    assert arena.state in ("sealed", "abandoned"), arena.state
    assert arena._handle.audit() is None
    return arena
"""


def test_every_single_refusal_of_the_kernel_comes_to_the_right_result(
    record_property: Callable[[str, object], None],
) -> None:
    refusals, told = run_python(
        WORK
        + """
def one(nth):
    fa._core.plan_faults(f"fail_nth={nth}")
    arena = work()
    report = arena.report
    told = report is None or bool(report.unsealed_bytes or report.notes or report.overflow_blocks)
    return fa._core.refused_by_tests(), told
refusals = told = 0
while True:
    refused, was_told = fork_and_report(lambda: one(refusals + 1))
    if refused == 0:
        break
    refusals += 1
    told += was_told
print(json.dumps([refusals, told]))
""",
        timeout=280,
    ).json
    record_property("refusals", refusals)
    print(f"{refusals} refusals, the right result after each; {told} of them cost something")
    assert refusals > 50
    assert 0 < told < refusals
