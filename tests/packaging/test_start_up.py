"""The installed package collects when PYTHONFROZENARENA says so, and is not loaded otherwise."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from frozen_arena.environment import KEYS, read

ROOT = Path(__file__).resolve().parents[2]
STATES = "import sys, frozen_arena; print([arena.state for arena in frozen_arena.arenas()])"
LOADED = "import sys; print('frozen_arena' in sys.modules)"


def start(
    code: str, value: str | None, *flags: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONFROZENARENA": value or ""}
    if value is None:
        del environment["PYTHONFROZENARENA"]
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        cwd=cwd,
    )


@pytest.mark.parametrize("value", [None, "", "0"])
def test_unset_empty_or_0_imports_nothing(value: str | None) -> None:
    assert start(LOADED, value).stdout == "False\n"


@pytest.mark.parametrize("value", ["1", "name=all,min_new=1M"])
def test_set_it_collects_from_the_start(value: str) -> None:
    done = start(STATES, value)
    assert (done.stdout, done.stderr) == ("['building']\n", "")


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_an_interpreter_that_ignores_its_environment_or_its_site_does_not(flag: str) -> None:
    assert start(LOADED, "1", flag).stdout == "False\n"


SUBINTERPRETER = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
one = interpreters.create()
getattr(interpreters, "run_string", None)(one, "print('runs')")
interpreters.destroy(one)
"""


def test_a_subinterpreter_starts_in_silence() -> None:
    done = start(SUBINTERPRETER, "1")
    assert (done.stdout, done.stderr) == ("runs\n", "")


def test_a_child_of_a_program_that_knows_nothing_of_it_shares_the_data(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        """
import gc, os
from bench.memory import own_bytes
data = {f"key {n}": {"number": n + 0.5, "text": f"text {n}"} for n in range(100_000)}
pid = os.fork()
if pid == 0:
    total = sum(len(record["text"]) for record in data.values())
    gc.collect()
    own = own_bytes()
    import frozen_arena
    payload = frozen_arena.sharing().lanes["payload"]
    print(own, payload.os_pages, payload.private_os_pages, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""
    )
    private = {}
    for value in ("0", "1"):
        done = subprocess.run(
            [sys.executable, str(program)],
            env={**os.environ, "PYTHONFROZENARENA": value, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        private[value], payload, copied = map(int, done.stdout.split())
    assert payload > 200, payload
    assert copied <= payload / 50, "a few tables of modules, which the child has added names to"
    if sys.version_info >= (3, 12):  # before, reading counts, and copies are given back only later
        assert private["1"] < private["0"] / 2, private


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("yes", "'yes' is none of its keys; use 1, or name=..., min_new=..."),
        ("threads=all", "'threads=all' is none of its keys"),
        ("limit", "'limit' is none of its keys"),
        ("limit=2T", "limit takes a number of bytes above 0, such as 67108864, 64M or 2G; '2T' is"),
        ("min_new=0", "min_new takes a number of bytes above 0"),
        ("huge_pages=always", "huge_pages takes auto or never; 'always' is not that"),
        ("report=maybe", "report takes 1 or 0"),
    ],
)
def test_a_wrong_value_costs_one_line_and_with_require_the_program(value: str, words: str) -> None:
    done = start("print('runs')", value)
    assert done.stdout == "runs\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("PYTHONFROZENARENA: ")
    assert words in line
    assert line.endswith("going on without")
    done = start("print('runs')", f"require=1,{value}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("; ending\n")


def test_require_holds_without_standard_error() -> None:
    for value, status in (("bogus,require=1", 2), ("bogus", 0)):
        command = f'exec "{sys.executable}" -c "print(1)" 2>&-'
        done = subprocess.run(
            ["sh", "-c", command],
            env={**os.environ, "PYTHONFROZENARENA": value},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert (done.returncode, done.stdout) == (status, "" if status else "1\n")


def test_values_become_keywords() -> None:
    assert read("1") == {}
    assert read("") is read("0") is None
    assert read(" 1,report=1, limit=64MB") == {"report": True, "limit": 64 << 20}
    assert read(" limit = 2G , report=1,name=a b") == {
        "limit": 2 << 30,
        "report": True,
        "name": "a b",
    }
    assert read("min_new=64k,instance_dicts=no") == {"min_new": 65536, "instance_dicts": False}


def test_the_reference_has_the_table_of_keys() -> None:
    reference = (ROOT / "docs" / "reference" / "api.md").read_text()
    for name, key in KEYS.items():
        assert f"| `{name}` | {key.default} | {key.meaning} |" in reference


def test_the_wheel_brings_the_start_up_files_and_uninstalling_takes_them_away() -> None:
    (path,) = (ROOT / "build" / Path(sys.prefix).name / "dist").glob("frozen_arena-*.whl")
    wanted = {"_frozen_arena_start_up.py", "frozen_arena.pth", "frozen_arena.start"}
    with zipfile.ZipFile(path) as wheel:
        assert wanted <= set(wheel.namelist())
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
        recorded = {line.split(",")[0] for line in wheel.read(name).decode().splitlines()}
    assert wanted <= recorded


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "frozen_arena", *map(str, arguments)], capture_output=True, text=True
    )


def test_run_runs_a_file_or_a_module_that_collects(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"{STATES}\nprint(sys.argv[1:])\nsys.exit(3)\n")
    done = command("run", program, "-m", "--options", "x")
    assert done.stdout.splitlines() == ["['building']", "['-m', '--options', 'x']"], done
    assert done.returncode == 3
    done = command("run", "--options", "report=1", "-m", "json.tool", program)
    assert done.returncode == 1
    assert "Expecting value" in done.stderr


def test_run_says_so_where_no_start_up_file_would_be_read() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            "import sys; sys.path += sys.argv[1:]; del sys.argv[1:]\n"
            "from frozen_arena.cli import main; main(['run', '-m', 'json.tool'])",
            *sys.path,
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the start-up file of the package is not where" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.py",), "'missing.py' does not exist"),
        (("--options", "colour=red", "-m", "json.tool"), "'colour=red' is none of its keys"),
        (("--options", "0", "-m", "json.tool"), "that switches it off"),
        ((), "Missing argument 'TARGET'"),
    ],
)
def test_a_wrong_run_is_wrong_usage(arguments: tuple[str, ...], words: str) -> None:
    done = command("run", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
