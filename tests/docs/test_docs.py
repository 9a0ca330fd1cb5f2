"""The documentation against the checkout: what it names exists, what it shows runs.

A block marked ```python is a program: all such blocks of a document run in one process, in order. A
block that is only a piece of a program is marked ```python fragment and has to parse. Each line of
a ```sh block is a command; `run_command` knows what can be run of it.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cpython import explained

ROOT = Path(__file__).resolve().parents[2]
# Stand-ins for a name that the reader puts in.
STAND_IN = re.compile(r"(?<![A-Za-z])(NAME|SCENARIO|X\.Y)(?![a-z])")
TOP = {"allocator", "arena", "bench", "docs", "python", "tests", ".ci"}
DOCUMENTS = sorted(
    path
    for path in [ROOT / "README.md", *(path for top in TOP for path in (ROOT / top).rglob("*.md"))]
    if path.is_file()
)
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
FILE_SUFFIXES = (".cc", ".cmake", ".h", ".json", ".md", ".py", ".pyi", ".sh", ".toml", ".txt")
# Files of the reader, of the interpreter and of mimalloc.
NOT_OURS = {"Python.h", "app.py", "gunicorn.conf.py", "mimalloc.h", "mimalloc.o", "pyconfig.h"}
# Commands that a test can not run: they fetch, or move about, or start a server of somebody else.
NOT_RUN = {"cd", "celery", "git", "gunicorn", "pip", "spark-submit", "uwsgi"}


def document_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(document: Path, *languages: str) -> list[tuple[str, str]]:
    """(info string, text) of the fenced blocks in one of `languages`."""
    return [
        (info.strip(), text)
        for info, text in FENCE.findall(document.read_text())
        if info.strip().split(" ")[0] in languages
    ]


def prose(document: Path) -> str:
    return FENCE.sub("", document.read_text())


def code_spans(document: Path) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(document))


def exists(named: str, document: Path) -> bool:
    if "/" not in named:
        return any(found for top in TOP for found in (ROOT / top).rglob(named)) or bool(
            list(ROOT.glob(named))
        )
    return any(list(base.glob(named)) for base in (ROOT, document.parent))


def named_paths(document: Path) -> list[str]:
    """Code spans that name a file or folder of the checkout, without a line number."""
    paths = []
    for span in code_spans(document):
        text = re.sub(r":\d+(-\d+)?$", "", span.strip())
        if (
            re.fullmatch(r"[\w.*-]+(/[\w.*-]*)*", text)
            and text not in NOT_OURS
            and not STAND_IN.search(text)
        ):
            first, _, rest = text.partition("/")
            if (rest and first in TOP) or text.endswith("/") or text.endswith(FILE_SUFFIXES):
                paths.append(text.rstrip("/"))
    return [path for path in paths if not path.startswith(("build", ".venv"))]


def test_there_is_a_readme_for_the_project_and_for_each_layer() -> None:
    wanted = [
        "README.md",
        "arena/README.md",
        "allocator/README.md",
        "python/README.md",
        "bench/README.md",
    ]
    assert [path for path in wanted if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_id)
def test_files_that_are_named_exist(document: Path) -> None:
    assert [path for path in named_paths(document) if not exists(path, document)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_id)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [path for path in local if path and not (document.parent / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_id)
def test_build_options_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(r"\bFZA_[A-Z_]*[A-Z]\b", document.read_text()))
    sources = [
        ROOT / "CMakeLists.txt",
        *(path for top in TOP for path in (ROOT / top).rglob("*.h")),
    ]
    known = set(re.findall(r"\bFZA_[A-Z_]*[A-Z]\b", "".join(path.read_text() for path in sources)))
    assert named - known == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=document_id)
def test_public_names_that_are_shown_exist(document: Path) -> None:
    import frozen_arena

    text = document.read_text()
    named = set(re.findall(r"\bfa\.([a-z_]\w*|[A-Z]\w*)", text))
    named |= {
        name
        for line in re.findall(r"from frozen_arena import ([\w, ]+)", text)
        for name in line.split(", ")
    }
    assert sorted(name for name in named if not hasattr(frozen_arena, name.strip())) == []


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if blocks(d, "python")], ids=document_id)
def test_python_blocks_run(document: Path, tmp_path: Path) -> None:
    program = []
    for info, text in blocks(document, "python"):
        ast.parse(text)
        if info == "python":
            program.append(text)
        else:
            assert info == "python fragment"
    script = tmp_path / "blocks.py"
    script.write_text("\n".join(program))
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def failure_of(line: str, cwd: Path) -> str:
    """What goes wrong with a command line of a document, which is run where a test can do that."""
    words = shlex.split(line, comments=True)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if not words or words[0] in NOT_RUN:
        return ""
    if words[0] == "make":  # it would build and test itself without end
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        missing = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"{line}\nno such target: {missing}" if missing else ""
    if words[:2] == ["frozen-arena", "demo"] and "--source" not in words:  # with less input
        words += ["--source", str(ROOT / "tests")]
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240
    )
    return f"{line}\n{done.stdout}{done.stderr}" if done.returncode != 0 else ""


@pytest.mark.parametrize(
    "document", [d for d in DOCUMENTS if blocks(d, "sh", "bash", "console")], ids=document_id
)
def test_shell_blocks_run(document: Path, tmp_path: Path) -> None:
    (tmp_path / "service.py").touch()  # a program of the reader's
    for info, text in blocks(document, "sh", "bash", "console"):
        for line in text.replace("\\\n", " ").splitlines():
            if info == "console":
                if not line.startswith("$ "):
                    continue  # what the command prints
                line = line.removeprefix("$ ")
            assert failure_of(line, tmp_path) == ""


def test_the_readme_names_the_two_commands() -> None:
    shown = "\n".join(text for _, text in blocks(ROOT / "README.md", "sh", "bash", "console"))
    assert "make demo" in shown
    assert "make test" in shown


def demo_form(text: str) -> list[str]:
    """What every output of the demo has: the labels of its table, how its sentences begin."""
    rows = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    return rows + re.findall(r"^(Indexed|In each way|The demo took)", text, re.MULTILINE)


def test_the_readme_shows_the_output_of_the_demo() -> None:
    (shown,) = [text for _, text in blocks(ROOT / "README.md", "") if text.startswith("Indexed")]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "frozen_arena",
            "demo",
            "--queries",
            "8",
            "--source",
            ROOT / "tests",
        ],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert demo_form(shown) == demo_form(done.stdout)
    assert len(demo_form(shown)) > 10


def test_the_table_of_cpythons_tests_is_what_its_data_make() -> None:
    rows = explained.rows()
    assert len(rows) < 15
    text = explained.PAGE.read_text(encoding="utf-8")
    assert text == explained.page_with(text, rows), "run: python -m tests.cpython --page"
