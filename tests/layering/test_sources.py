"""The order of the layers, read off the sources.

arena <- allocator <- python/layout <- python/freeze <- python/pack and what stands beside it <-
python/bindings: an include
goes to the left only. Python does not exist in arena/; allocator/ knows CPython's memory API but
never looks inside an object; the version of the interpreter is spelt in one header for each layer
that has to know it.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the bottom up. A layer may include itself and what stands before it.
LAYERS = [
    "arena",
    "allocator",
    "python/layout",
    "python/freeze",
    "python/pack",
    "python/image",
    "python/optout",
    "python/bindings",
]
COMPAT_HEADERS = {"allocator/python_compat.h", "python/layout/object_compat.h"}

PYTHON_NAME = re.compile(r"\b(Python\.h|_?Py[A-Z_]\w*|pybind11)\b")
INSIDE_AN_OBJECT = re.compile(r"\b(ob_refcnt\w*|ob_type|ob_flags|Py_TYPE|Py_REFCNT|tp_\w+)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def sources(layer: str) -> list[Path]:
    return sorted(path for path in (ROOT / layer).rglob("*") if path.suffix in {".h", ".cc"})


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code(path: Path) -> str:
    """The text without comments, line for line."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    return re.sub(r"//.*", "", text)


def findings(paths: list[Path], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(code(path).splitlines(), 1)
        if pattern.search(line)
    ]


def layer_of(header: str) -> str:
    """The layer in which an included header lies, or '' when it is none of ours."""
    return next((layer for layer in LAYERS if header.startswith(layer + "/")), "")


def test_every_layer_has_sources() -> None:
    assert [layer for layer in LAYERS if not sources(layer)] == []


def test_arena_has_no_word_of_python() -> None:
    assert findings(sources("arena"), PYTHON_NAME) == []


def test_allocator_never_looks_inside_an_object() -> None:
    assert findings(sources("allocator"), INSIDE_AN_OBJECT) == []


def test_the_version_of_the_interpreter_is_spelt_in_the_compat_headers_only() -> None:
    others = [
        path for layer in LAYERS for path in sources(layer) if name(path) not in COMPAT_HEADERS
    ]
    assert findings(others, re.compile(r"\bPY_(VERSION_HEX|(MAJOR|MINOR|MICRO)_VERSION)\b")) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_includes_go_down_and_start_at_the_root(layer: str) -> None:
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    wrong = [
        f'{name(path)} includes "{header}"'
        for path in sources(layer)
        for header in INCLUDE.findall(code(path))
        if layer_of(header) not in allowed or not (ROOT / header).is_file()
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", LAYERS)
def test_a_source_includes_its_own_header_first(layer: str) -> None:
    wrong = []
    for path in sources(layer):
        own = name(path.with_suffix(".h"))
        first = re.search(r'^\s*#\s*include\s+["<]([^">]+)', code(path), re.MULTILINE)
        if path.suffix == ".cc" and (ROOT / own).is_file() and (not first or first[1] != own):
            wrong.append(f"{name(path)}: first include is {first and first[1]}, not {own}")
    assert wrong == []


@pytest.mark.parametrize("layer", LAYERS)
def test_headers_have_the_guard_of_their_path(layer: str) -> None:
    wrong = []
    for path in (path for path in sources(layer) if path.suffix == ".h"):
        guard = "FROZEN_ARENA_" + re.sub(r"\W", "_", name(path)).upper() + "_"
        text = path.read_text()
        if not all(
            line in text
            for line in (f"#ifndef {guard}\n#define {guard}\n", f"#endif  // {guard}\n")
        ):
            wrong.append(f"{name(path)}: its include guard is not {guard}")
    assert wrong == []


@pytest.mark.parametrize("lists", ["arena", "allocator", "python", "tests"])
def test_every_source_is_in_a_list_of_cmake(lists: str) -> None:
    """Nobody compiles a file that CMake does not know, and nobody runs a test in it."""
    folder = ROOT / lists
    text = re.sub(r"#.*", "", "".join(one.read_text() for one in folder.rglob("CMakeLists.txt")))
    on_disk = {path for path in folder.rglob("*.cc") if "compile_fail" not in path.parts}
    missing = [
        name(path)
        for path in sorted(on_disk)
        if not re.search(rf"(?<![\w/]){path.name}\b", text)
        and path.relative_to(folder).as_posix() not in text
    ]
    listed = set(re.findall(r"\b\w+\.cc\b", text))
    assert missing == []
    assert listed - {path.name for path in on_disk} == set()


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    """The patterns above, on lines that break the rule: what matches nothing guards nothing."""
    planted = tmp_path / "planted.cc"
    for line, pattern in [
        ("#include <Python.h>", PYTHON_NAME),
        ("PyObject* object;", PYTHON_NAME),
        ("void* p = _PyObject_New(type);", PYTHON_NAME),
        ("Py_INCREF(object);", PYTHON_NAME),
        ("++object->ob_refcnt;", INSIDE_AN_OBJECT),
        ("if (Py_TYPE(object) == nullptr) {", INSIDE_AN_OBJECT),
    ]:
        planted.write_text(line + "\n")
        assert pattern.search(code(planted)), line
    planted.write_text("// a PyObject in a comment\n/* Py_INCREF\n*/ int x;\n")
    assert not PYTHON_NAME.search(code(planted))
    assert layer_of("python/freeze/freeze.h") == "python/freeze"
