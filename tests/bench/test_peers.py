"""Peers and the runner: every peer gives back the records that went in, and a failure is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import harness, memory, runner
from bench.memory_group import MemoryGroup, memory_group
from bench.peers import OBJECTS, PACKED, PEERS
from bench.records import SIMPLE, TEXTS, Records

ASK_ALL = """\
import sys
from pathlib import Path
from bench.peers import PEERS
from bench.records import Records

for kind, values in (("simple", 4), ("texts", 3)):
    records = Records(kind, values, 0.05)
    wanted = list(records)
    folder = Path(sys.argv[2], kind)
    folder.mkdir()
    reader = PEERS[sys.argv[1]].hold(records, folder)()
    for number, record in enumerate(wanted):
        assert reader.record(number) == record, number
        assert [reader.value(number, field) for field in record] == list(record.values()), number
    print(len(wanted))
"""


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_gives_back_every_record_and_every_value(name: str, tmp_path: Path) -> None:
    if missing := PEERS[name].missing:
        pytest.skip(missing)
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL, name, str(tmp_path)],
        env=harness.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert all(int(count) > 10 for count in done.stdout.split())


def test_every_peer_says_what_it_costs_and_what_is_missing() -> None:
    for name, peer in PEERS.items():
        assert peer.name == name
        assert peer.form in {OBJECTS, PACKED}
        assert peer.types_lost
        assert peer.code_changed
        assert not peer.missing or ("pip install" in peer.missing) == (not peer.obstacle())


def test_what_a_peer_needs_is_in_the_extra() -> None:
    text = (harness.CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    for peer in PEERS.values():
        for name in peer.needs:
            assert f'"{name}>=' in text


@pytest.mark.parametrize("kind", [SIMPLE, TEXTS])
def test_records_take_about_the_memory_that_is_asked_for(kind: str) -> None:
    records = Records(kind, 50, 4)
    size = sum(
        sys.getsizeof(record) + sum(map(sys.getsizeof, record.values())) for record in records
    )
    assert size == pytest.approx(4 * memory.MIB, rel=0.2)
    assert {type(value) for record in records for value in record.values()} == set(
        records.value_types
    )


def test_a_case_that_fails_stops_nothing_else_and_is_said() -> None:
    result = harness.Result("", [])

    def run(case: str) -> str:
        if case == "b":
            raise OSError("no room")
        return case.upper()

    found = runner.in_rounds(result, ["a", "b", "c"], run, rounds=2)
    assert found == {"a": ["A", "A"], "c": ["C", "C"]}
    assert result.failures == ["b: no room"]


def test_rounds_take_turns() -> None:
    order: list[tuple[str, int]] = []
    runner.in_rounds(harness.Result("", []), [("x", 1), ("y", 2)], order.append, rounds=2)
    assert order == [("x", 1), ("y", 2), ("x", 1), ("y", 2)]


def test_the_spread_of_rounds_is_their_quartiles() -> None:
    assert runner.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == {"median": 3.0, "low": 2.0, "high": 4.0}
    assert runner.spread([7.0]) == {"median": 7.0, "low": 7.0, "high": 7.0}


def test_a_memory_group_is_charged_what_its_processes_touch() -> None:
    with memory_group("test") as group:
        if group is None:
            pytest.skip("no memory cgroup may be made here")
        code = (
            f"import sys; data = bytearray({32 * memory.MIB}); print(len(data)); sys.stdin.read()"
        )
        command = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', group.doors, sys.executable]
        with subprocess.Popen(
            [*command, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            charged = MemoryGroup(*group.address).charged()
        assert 32 < charged["charged_anonymous"] / memory.MIB < 64
        assert charged["charged_shared"] < memory.MIB
    assert not Path(group.doors).exists()


def test_memory_of_a_tree_is_counted_twice_and_alike(tmp_path: Path) -> None:
    peers = [name for name in ("stock", "frozen arena") if not PEERS[name].missing]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench.memory_by_workers", "--quick", "--mib", "8"),
            *("--json", str(tmp_path / "run.json"), "--peer", *peers),
        ],
        cwd=harness.CHECKOUT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads((tmp_path / "run.json").read_text())
    assert [figures["peer"] for figures in run["figures"]] == ["no data", *peers]
    assert {bound["status"] for bound in run["bounds"]} <= {harness.OK, harness.NOT_MEASURED}
