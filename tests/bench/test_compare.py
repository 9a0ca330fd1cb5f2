"""`python -m bench compare`: what differs, and what is not comparable."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import compare, harness


def run(**changes: Any) -> dict[str, Any]:
    content = {
        "scenario": "fork_cost",
        "machine": {**harness.machine_facts(), "commit": "abc"},
        "settings": {"quick": False},
        "figures": [
            {"mode": "stock", "ms": [3.0, 1.0, 2.0]},
            {"mode": "frozen", "samples": [{"workers": 8, "pss": 100.0}], "same": 5},
        ],
        "bounds": [harness.plain(harness.bound("x", 1, 2))],
    }
    return {**content, **changes}


def test_figures_are_named_by_what_stands_beside_them_and_lists_by_their_median() -> None:
    assert compare.figures(run()) == {
        "stock, ms": 2.0,
        "frozen, samples, 8 workers, pss": 100.0,
        "frozen, same": 5.0,
    }


def test_what_differs_is_shown_and_what_is_the_same_is_counted() -> None:
    after = run(
        figures=[
            {"mode": "stock", "ms": [3.0]},
            {"mode": "frozen", "samples": [{"workers": 8, "pss": 100.5}], "same": 5},
        ],
        bounds=[harness.plain(harness.bound("x", 3, 2))],
    )
    result = compare.compare(run(), after)
    assert result.rows == [("stock, ms", 2.0, 3.0, 1.5)]
    assert "3 figures, 2 of them the same within 1%" in result.notes[0]
    assert result.notes[1] == "x: was ok, is BROKEN"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"machine": {**harness.machine_facts(), "cpu": "abacus"}}, "machines.*abacus"),
        ({"settings": {"quick": True}}, "settings.*quick False and True"),
        ({"scenario": "outside"}, "scenarios.*outside"),
    ],
)
def test_what_was_measured_otherwise_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(compare.NotComparable, match=why):
        compare.compare(run(), run(**changes))


def test_folders_are_compared_by_file_and_the_refusal_is_wrong_usage(tmp_path: Path) -> None:
    other = {**harness.machine_facts(), "cores": 1024}
    for folder, content in (("a", run()), ("b", run()), ("c", run(machine=other))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "fork_cost-3.12.json").write_text(json.dumps(content))

    def status(*folders: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "bench", "compare", *(tmp_path / one for one in folders)],
            cwd=harness.CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    same, shown = status("a", "b")
    assert same == 0
    assert "3 figures, 3 of them the same" in shown
    refused, why = status("a", "c")
    assert refused == 2
    assert "different machines are not compared: cores" in why
    assert status("a", "missing")[0] == 2
