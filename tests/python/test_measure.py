"""`frozen-arena measure`: three ways with the user's own data, advice, and what goes wrong."""

from __future__ import annotations

import array
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import frozen_arena
import pytest
from forking import IS_DEBUG_BUILD
from frozen_arena.measuring import reading
from frozen_arena.measuring.advice import advise
from frozen_arena.measuring.scenario import WayResult

AVAILABLE = frozen_arena.status().available
only_with_arenas = pytest.mark.skipif(not AVAILABLE, reason="arenas do not work here")

SHOP = """
import array

class Record:
    def __init__(self, number):
        self.name = f"name {number}"
        self.tags = [number, str(number)]

def records():
    print("loading")
    return {f"key {number}": Record(number) for number in range(40_000)}

def names(data):
    assert all(record.name for record in data.values())

def buffers():
    return [array.array("d", [1.5]) * 1_000_000 for _ in range(2)]

def fails():
    raise ValueError("no such\\nfile")

def leaves():
    raise SystemExit(3)

def fails_to_read(data):
    raise KeyError("name")

number = 3
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def measure(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "frozen_arena", "measure", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "COLUMNS": "80"},
        check=False,
    )


@only_with_arenas
def test_records_are_measured_in_three_ways_drawn_and_worth_it(shop: Path) -> None:
    drawn = shop / "records.svg"
    done = measure(shop, "shop:records", "--workers", "2", "--json", "--plot", str(drawn))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert list(result["ways"]) == ["stock", "gc.freeze", "frozen"]
    assert result["ways"]["stock"]["objects"] > 40_000 * 5
    for way in result["ways"].values():
        assert way["data_bytes"] > 8e6
        assert len(way["worker_private"]) == len(way["first_pass_seconds"]) == 2
        assert way["tree_pss"] > way["parent_pss"] > 0
    assert result["ways"]["stock"]["arena_os_pages_copied"] is None
    if sys.version_info >= (3, 12):
        assert result["ways"]["frozen"]["arena_os_pages_copied"] == 0
        assert result["advice"]["use"]
        assert result["advice"]["text"].startswith("use it: saves ")
    picture = drawn.read_text()
    assert "</svg>" in picture
    assert result["advice"]["text"][:20] in picture


@only_with_arenas
def test_a_reader_of_the_user_is_called_and_the_table_fits_into_80_columns(shop: Path) -> None:
    done = measure(shop, "shop:records", "--read", "shop:names", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    table = [line for line in done.stdout.splitlines() if line[:1] in "┏┃┡│└"]
    assert table
    assert max(map(len, table)) <= 80
    assert "private memory of a worker (USS)" in done.stdout
    assert "loading" in done.stdout  # what the user's code says is shown as a note


@only_with_arenas
@pytest.mark.skipif(IS_DEBUG_BUILD, reason="its own objects weigh more than these buffers")
def test_buffers_are_not_worth_it_and_it_says_why(shop: Path) -> None:
    done = measure(shop, "shop:buffers", "--workers", "2")
    assert done.returncode == 0
    last = done.stdout.splitlines()[-1]
    assert last == "do not use it: your data is array.array, it is shared already"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nowhere:load"], 2, "cannot import 'nowhere': ModuleNotFoundError"),
        (["shop:nothing"], 2, "module 'shop' has no 'nothing'"),
        (["shop:number"], 2, "'shop:number' is not callable"),
        (["shop"], 2, "not of the form MODULE:CALLABLE"),
        (["shop:fails"], 1, "shop:fails raised ValueError: no such file ("),
        (["shop:leaves"], 1, "shop:leaves raised SystemExit: 3 ("),
        (["shop:records", "--read", "shop:fails_to_read"], 1, "raised KeyError: 'name' ("),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(shop: Path, arguments: list[str], status: int, said: str) -> None:
    done = measure(shop, *arguments, "--workers", "1")
    assert done.returncode == status
    assert said in done.stderr
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_picture_that_cannot_be_drawn_is_said_before_the_work(shop: Path) -> None:
    done = measure(shop, "shop:fails", "--plot", "picture.gif")
    assert done.returncode == 2
    assert ".png or .svg" in done.stderr
    (shop / "matplotlib.py").write_text("raise ImportError\n")
    done = measure(shop, "shop:fails", "--plot", "picture.png")
    assert done.returncode == 1
    assert "pip install 'frozen-arena[plot]'" in done.stderr


# Advice


def ways(stock: int, freeze: int, frozen: int, **facts: Any) -> dict[str, WayResult]:
    way = WayResult("", data_bytes=20_000_000, worker_private=[15_000_000] * 2)
    sizes = {"stock": stock, "gc.freeze": freeze, "frozen": frozen}
    return {name: replace(way, way=name, tree_pss=size, **facts) for name, size in sizes.items()}


def test_gc_freeze_is_advised_where_it_does_as_much() -> None:
    advice = advise(ways(100_000_000, 50_000_000, 49_000_000), 2)
    assert not advice.use
    assert advice.text.startswith("gc.freeze() is enough here: it saves 51 MB of 100 MB")


def test_numpy_is_named_as_what_is_shared_already() -> None:
    facts = {"buffers": {"numpy.ndarray": 19_000_000}, "worker_private": [2_000_000] * 2}
    advice = advise(ways(60_000_000, 60_000_000, 59_000_000, **facts), 2)
    assert advice.text == "do not use it: your data is NumPy, it is shared already"


def test_small_data_is_not_worth_it() -> None:
    advice = advise(ways(40_000_000, 40_000_000, 41_000_000, data_bytes=12_000), 2)
    assert advice.text.startswith("do not use it: your data is small, 0.0 MB")


def test_where_arenas_do_not_work_the_reason_is_the_advice() -> None:
    found = ways(60_000_000, 50_000_000, 0)
    found["frozen"] = WayResult("frozen", unsupported="no GIL")
    assert advise(found, 2).text == "frozen arena does not work here: no GIL"


# Reading


def test_everything_is_read_once_and_program_is_left_alone() -> None:
    class Record:
        def __init__(self) -> None:
            self.other = self
            self.values = [1.5, (2, "text"), {"key": {3}}]
            self.made_by = Record

    found = reading.read([Record(), json, array.array("d", [1.0] * 1000)])
    assert found.buffers == {"array.array": 8000}
    assert 15 <= found.objects < 40


@pytest.mark.skipif(sys.version_info < (3, 12), reason="older ones have another layout")
def test_reading_makes_no_dict_of_an_instance() -> None:
    from tracemalloc import get_traced_memory, start, stop

    class Record:
        def __init__(self, number: int) -> None:
            self.number = number

    data = [Record(number) for number in range(1000)]
    start()
    reading.read(data)
    kept, _ = get_traced_memory()
    stop()
    assert kept < 1000 * 32  # a dict an instance would be 64 bytes and more
