"""The command ``frozen-arena``: exit status, messages and output, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import frozen_arena
import pytest
from forking import IS_DEBUG_BUILD

AVAILABLE = frozen_arena.status().available
LIMIT = 90  # seconds that the demo may take on two cores


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``frozen-arena`` with its output in pipes, so that it sees no terminal."""
    kept = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}
    return subprocess.run(
        [sys.executable, "-m", "frozen_arena", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**kept, **environment},
        check=False,
    )


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for number in range(5):
        body = f'def answer_{number}(question):\n    """Answers."""\n    return question * 2\n' * 20
        (tmp_path / f"module_{number}.py").write_text(body)
    return tmp_path


# Usage


def test_help_names_the_commands() -> None:
    done = command("--help")
    assert done.returncode == 0
    assert "demo" in done.stdout
    assert "doctor" in done.stdout


def test_version_is_that_of_the_package() -> None:
    done = command("--version")
    assert done.returncode == 0
    assert done.stdout.split()[-1] == frozen_arena.__version__


@pytest.mark.parametrize("workers", ["0", "-1", "65", "many"])
def test_a_wrong_number_of_workers_is_wrong_usage(workers: str, sources: Path) -> None:
    done = command("demo", "--workers", workers, "--source", sources)
    assert done.returncode == 2
    assert "--workers" in done.stderr
    assert done.stdout == ""


def test_a_source_that_is_missing_is_wrong_usage(tmp_path: Path) -> None:
    done = command("demo", "--source", tmp_path / "absent")
    assert done.returncode == 2
    assert "--source" in done.stderr
    assert "does not exist" in done.stderr


def test_a_source_that_is_a_file_is_wrong_usage(sources: Path) -> None:
    done = command("demo", "--source", sources / "module_0.py")
    assert done.returncode == 2
    assert "--source" in done.stderr
    assert "is a file" in done.stderr


def test_a_source_without_python_files_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no Python")
    done = command("demo", "--source", tmp_path)
    assert done.returncode == 2
    assert "--source" in done.stderr
    assert "no Python files" in done.stderr


def test_an_unknown_command_is_wrong_usage() -> None:
    assert command("dance").returncode == 2


def test_a_source_that_holds_no_valid_python_is_failed_work(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    done = command("demo", "--source", tmp_path, "--workers", 1, "--queries", 4)
    assert done.returncode == 1
    assert "none of the files is valid Python" in done.stderr
    assert "Traceback" not in done.stderr


# Demo


def test_demo_as_json_holds_three_ways_and_no_wrong_answer(sources: Path) -> None:
    done = command("demo", "--source", sources, "--workers", 2, "--queries", 40, "--json")
    result = json.loads(done.stdout)
    assert list(result["ways"]) == ["stock", "gc.freeze", "frozen"]
    assert result["wrong_answers"] == 0
    assert result["answers_agree"]
    assert done.returncode == (0 if AVAILABLE else 1)
    assert result["ok"] == AVAILABLE
    for name, way in result["ways"].items():
        if name == "frozen" and not AVAILABLE:
            assert way["unsupported"] == frozen_arena.status().reason
            continue
        assert way["totals"]["files"] == 5
        assert way["queries"] == 40
        assert len(way["worker_private"]) == len(way["fork_seconds"]) == 2
        assert way["tree_pss"] > way["parent_pss"] > 0
        assert way["worker_private_most"] >= max(way["worker_private"]) > 0
        assert way["gives_back"] == (name == "frozen" and sys.version_info < (3, 12))
        assert way["queries_per_second"] > 0


@pytest.mark.skipif(not AVAILABLE, reason="arenas do not work on this interpreter")
def test_demo_counts_copied_arena_pages_only_where_there_is_an_arena(sources: Path) -> None:
    done = command("demo", "--source", sources, "--workers", 2, "--queries", 40, "--json")
    ways = json.loads(done.stdout)["ways"]
    assert ways["stock"]["arena_os_pages_copied"] is None
    assert ways["gc.freeze"]["arena_os_pages_copied"] is None
    copied = ways["frozen"]["arena_os_pages_copied"]
    # What readers have counted on 3.11 has been given back, but for what a worker holds for good.
    assert copied == 0 if sys.version_info >= (3, 12) else copied < 100
    assert ways["frozen"]["arena_bytes"] > 0


@pytest.mark.once
@pytest.mark.skipif(IS_DEBUG_BUILD, reason="the limit is that of release builds")
def test_demo_on_its_real_input_says_how_long_it_took_and_keeps_within_its_limit() -> None:
    done = command("demo", "--queries", 200, "--json")
    result = json.loads(done.stdout)
    assert result["source"] == "the standard library and site-packages"
    ways = [way for way in result["ways"].values() if way["unsupported"] is None]
    steps = sum(way["build_seconds"] + way["seal_seconds"] for way in ways)
    assert steps < result["seconds"] < LIMIT


def test_demo_prints_one_table_and_ends_with_one_line_without_colours(sources: Path) -> None:
    done = command("demo", "--source", sources, "--workers", 1, "--queries", 20)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""  # no progress bar where nobody watches
    assert "queries per second" in done.stdout
    assert "5 of 5 Python files" in done.stdout
    assert re.search(r"^The demo took \d+\.\d+ m?s\.$", done.stdout, re.MULTILINE)
    last = done.stdout.splitlines()[-1]
    assert "1 worker" in last
    assert last.endswith(".")


def test_demo_is_not_misled_by_activation_or_by_modules_in_the_current_folder(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sources / "queries.py").write_text("raise SystemExit('wrong module')\n")
    (sources / "json.py").write_text("raise SystemExit('wrong module')\n")
    monkeypatch.chdir(sources)
    program = "import sys; from frozen_arena.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "demo", "--source", ".", "--queries", "8", "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONFROZENARENA": "1"},
        check=False,
    )
    assert json.loads(done.stdout)["ways"]["stock"]["arena_os_pages_copied"] is None


# Doctor


def test_doctor_says_whether_arenas_work_here() -> None:
    done = command("doctor")
    assert done.returncode == (0 if AVAILABLE else 1)
    assert ("works here" in done.stdout) == AVAILABLE
    assert ("does not work here" in done.stdout) != AVAILABLE
    assert "\x1b" not in done.stdout


def test_doctor_as_json_is_the_status() -> None:
    done = command("doctor", "--json")
    found = json.loads(done.stdout)
    assert found["available"] == AVAILABLE
    assert found["reason"] == frozen_arena.status().reason
    assert all({"name", "ok", "detail", "remedy"} <= check.keys() for check in found["checks"])


@pytest.mark.skipif(not AVAILABLE, reason="arenas do not work on this interpreter")
@pytest.mark.parametrize(
    ("fault", "name", "figure"),
    [("no_memfd", "memfd", "2.4 KiB"), ("no_collapse", "huge pages", "12.5 page faults")],
)
def test_doctor_says_of_what_is_missing_what_it_costs_and_what_to_do(
    fault: str, name: str, figure: str
) -> None:
    done = command("doctor", "--json", FROZEN_ARENA_TEST_FAULTS=fault)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not checks[name]["ok"]
    assert figure in checks[name]["cost"]
    assert checks[name]["remedy"]
    assert all(check["cost"] is None for check in checks.values() if check["ok"])


# Import


def test_importing_the_package_imports_nothing_of_the_command_line() -> None:
    program = "import frozen_arena, sys; print({'click', 'rich', 'psutil'} & sys.modules.keys())"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
