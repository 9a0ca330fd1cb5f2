"""What must not compile.

Each *.cc here stands for two programs: with FZA_CONTROL defined it is right and must compile,
without it is wrong and must be refused with a message that matches its line `// error: REGEX`. The
control keeps a snippet from failing for a reason that has nothing to do with the rule.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SNIPPETS = sorted(HERE.glob("*.cc"))


def compile_snippet(snippet: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    compiler = os.environ.get("CXX", "g++")
    return subprocess.run(
        [
            compiler,
            *("-std=c++20", "-fsyntax-only", "-fdiagnostics-color=never", "-DFZA_AUDIT=0"),
            *("-Wall", "-Wextra", "-Wundef", "-Wconversion", "-Wshadow", "-Werror"),
            f"-I{ROOT}",
            *flags,
            str(snippet),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 5


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_the_control_compiles(snippet: Path) -> None:
    done = compile_snippet(snippet, "-DFZA_CONTROL")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_the_fault_is_refused_for_its_own_reason(snippet: Path) -> None:
    expected = re.search(r"^// error: (.+)$", snippet.read_text(), re.MULTILINE)
    assert expected, f"{snippet.name} does not say which error it stands for"
    done = compile_snippet(snippet)
    assert done.returncode != 0, f"{snippet.name} compiles"
    assert re.search(rf"error: .*({expected[1]})", done.stderr), done.stderr
