"""What bench/ promises without measuring: its programs, its map, its bounds, and what it keeps."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import SCENARIOS, bounds, harness, write_matrix_page
from bench.__main__ import TOOLS

FOLDER = harness.CHECKOUT / "bench"
KEPT = sorted(harness.RESULTS.glob("*.json"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_says_what_it_measures_and_takes_the_common_options(scenario: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{scenario}", "--help"],
        cwd=harness.CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert {"--json", "--quick"} <= set(re.findall(r"--\w+", done.stdout))


def test_every_program_is_a_scenario_or_named_as_a_tool() -> None:
    programs = {
        path.stem for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text()
    }
    assert programs == {*SCENARIOS, *TOOLS, "__main__"}


def test_the_map_names_every_file() -> None:
    named = set(re.findall(r"^\| `(\w+\.py)` \|", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert named == {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}


def test_a_scenario_that_there_is_not_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "fork_costs"],
        cwd=harness.CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "fork_costs" in done.stderr


def test_a_bound_holds_up_to_its_limit_and_is_not_measured_where_something_is_in_the_way() -> None:
    assert harness.bound("size", 3, 3).status == harness.OK
    assert harness.bound("size", 3.1, 3).status == harness.BROKEN
    absent = harness.bound("size", 9, 3, (False, "too hot"), (True, "too cold"), (True, "wet"))
    assert (absent.status, absent.measured, absent.reason) == (
        harness.NOT_MEASURED,
        None,
        "too cold",
    )


def test_the_sum_of_all_bounds_counts_what_is_broken_and_what_is_not_measured() -> None:
    def run(*bounds: harness.Bound) -> dict[str, Any]:
        return {"scenario": "s", "seconds": 2.0, "bounds": [harness.plain(one) for one in bounds]}

    result = bounds.sum_up(
        [
            run(
                harness.bound("trie: copied", 1, 8),
                harness.bound("rows: copied", 9, 8),
                harness.bound("arrays: copied", None, 8, (True, "no numpy")),
            ),
            run(harness.bound("growth", None, 0.1, (True, "full size only"))),
        ]
    )
    assert result.rows == [
        ("s", "copied, worst of 2", 9, 8, "1 ok, 1 BROKEN, 1 not measured: no numpy", "2"),
        ("s", "growth", None, 0.1, "not measured: full size only", "2"),
    ]
    assert result.notes == ["4 bounds: 1 ok, 1 BROKEN, 2 not measured; 4 seconds"]


def test_the_page_of_the_write_matrix_is_what_the_kept_results_make() -> None:
    pairs = write_matrix_page.write_matrix.all_pairs()
    made = write_matrix_page.page(pairs, write_matrix_page.kept_columns())
    assert made == write_matrix_page.PAGE.read_text(encoding="utf-8"), (
        "make it again: python -m bench.write_matrix_page"
    )


def test_the_page_of_bounds_is_what_the_kept_results_make() -> None:
    assert bounds.page(bounds.kept()) == bounds.PAGE.read_text(encoding="utf-8"), (
        "make it again: python -m bench.bounds"
    )


def test_the_page_of_bounds_shows_the_worst_by_version_and_what_is_beyond_its_bound() -> None:
    def run(python: str, *found: harness.Bound) -> dict[str, Any]:
        machine = {"python": python, "cpu": "C", "cores": 2, "memory_mib": 2048, "kernel": "6.1"}
        return {"machine": machine, "bounds": [harness.plain(one) for one in found]}

    made = bounds.page(
        {
            ("fork_cost", "3.9"): run("3.9.1", harness.bound("1 GiB: x", 1.5, 1.2)),
            ("fork_cost", "3.10"): run(
                "3.10.2", harness.bound("1 GiB: x", 1.0, 1.2), harness.bound("8 GiB: x", 1.1, 1.2)
            ),
        }
    )
    assert "| scenario | bound | at most | 3.9 | 3.10 |" in made
    assert "| fork_cost | x | 1.200 | **1.500** | 1.100 |" in made
    assert "2 cores (C) with 2 GiB, Linux 6.1, with CPython 3.9.1, 3.10.2." in made


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept_results_name_the_kind_of_machine_and_not_the_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    machine = json.loads(text)["machine"]
    assert re.fullmatch(r"\d+\.\d+", machine["kernel"])
    assert machine["python"].startswith(path.stem.rpartition("-")[2] + ".")
    assert re.findall(r"/(?:home|root|tmp|usr|work|opt)/[^\"]*", text) == []
