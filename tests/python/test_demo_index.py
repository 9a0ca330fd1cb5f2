"""The demo's index, its queries, the plain scan that checks them, and the workers that answer them.

None of these modules needs the compiled module: they are the ordinary program that the demo shares.
"""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from frozen_arena.demo.index import Index, build_index
from frozen_arena.demo.plain_scan import PlainScan
from frozen_arena.demo.queries import (
    PAGE,
    QUERY_KINDS,
    Answer,
    Query,
    answer_query,
    draw_queries,
)
from frozen_arena.demo.sources import Selection, SourceError, select_sources
from frozen_arena.trees.workers import WorkerError, Workers, decode

FILES = {
    "shapes.py": '''\
        """Shapes. The word area stands here, but it is no identifier."""

        import math


        class Circle(object, metaclass=type):
            """A circle.

            More about it.
            """

            def area(self, *, scale: float = 1.0) -> float:
                # area of a circle
                return math.pi * self.radius**2 * scale


        async def area(shape, /, *rest, **options):
            return f"{shape!r} has area {shape.area()}"
        ''',
    "below/text.py": '''\
        größe = "Straße"; area_of = lambda größe: größe + 0x1f
        def outer():
            if größe:
                def area(): "Inner."
                return area
            lines = """several
            lines with area
            """; area = 3
            return lines, area
        ''',
    "below/page.py": "\n".join(["value = value + value"] * 30) + "\n",
    "empty_of_code.py": "# nothing but a comment about area\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


@pytest.fixture
def selection(tree: Path) -> Selection:
    return select_sources(tree)


@pytest.fixture
def index(selection: Selection) -> Index:
    return build_index(selection.files)


def scan_of(selection: Selection, index: Index) -> PlainScan:
    by_name = {source.name: source for source in selection.files}
    return PlainScan({number: by_name[file.name] for number, file in enumerate(index.files)})


def wrong_answers(scan: PlainScan, index: Index, queries: list[Query]) -> list[str]:
    checked = (scan.wrong(query, answer_query(index, query)) for query in queries)
    return [wrong for wrong in checked if wrong is not None]


def places(index: Index, name: str) -> list[tuple[str, int, int]]:
    return [(index.files[file].name, line, column) for file, line, column in index.postings[name]]


# Index


def test_postings_are_every_place_of_an_identifier_and_no_string_or_comment(index: Index) -> None:
    inside_fstring = [("shapes.py", 18, 39)] if sys.version_info >= (3, 12) else []
    assert places(index, "area") == [
        ("below/text.py", 4, 12),
        ("below/text.py", 5, 15),
        ("below/text.py", 8, 9),
        ("below/text.py", 9, 18),
        ("shapes.py", 12, 8),
        ("shapes.py", 17, 10),
        *inside_fstring,
    ]


def test_keywords_are_no_identifiers_and_columns_count_characters(index: Index) -> None:
    assert not {"def", "class", "return", "import", "async", "lambda"} & index.postings.keys()
    assert places(index, "größe") == [
        ("below/text.py", 1, 0),
        ("below/text.py", 1, 35),
        ("below/text.py", 1, 42),
        ("below/text.py", 3, 7),
    ]


def test_names_and_postings_are_sorted(index: Index) -> None:
    assert index.names == sorted(index.postings)
    assert all(found == sorted(found) for found in index.postings.values())


def test_tokens_are_kept_by_kind_in_the_order_of_the_text(index: Index) -> None:
    page = index.files[[file.name for file in index.files].index("below/text.py")]
    assert [token.text for token in page.tokens["number"]] == ["0x1f", "3"]
    assert [token.text for token in page.tokens["keyword"]] == [
        *("lambda", "def", "if", "def", "return", "return")
    ]
    assert page.kind_at(7, 14) == "string"  # within a string of several lines
    assert page.kind_at(8, 11) == "name"
    assert page.kind_at(2, 0) == "keyword"
    assert page.kind_at(2, 3) == "layout"


def test_definitions_have_their_signature_docstring_and_place(index: Index) -> None:
    circle = index.definitions["Circle"][0]
    assert circle.signature == "class Circle(object, metaclass=type)"
    assert circle.docstring == "A circle.\n\nMore about it."
    found = [
        (one.line, one.column, one.signature, one.docstring) for one in index.definitions["area"]
    ]
    assert found == [
        (4, 8, "def area()", "Inner."),
        (12, 4, "def area(self, *, scale: float=1.0) -> float", None),
        (17, 0, "async def area(shape, /, *rest, **options)", None),
    ]


def test_trigrams_lead_to_every_line_that_holds_a_text(index: Index) -> None:
    held = {
        (number, line_number)
        for number, file in enumerate(index.files)
        for line_number, line in enumerate(file.lines, start=1)
        if "area" in line
    }
    assert held <= set(index.lines_that_may_hold("area"))
    assert index.lines_that_may_hold("no such text") == []


def test_files_that_are_not_valid_python_are_left_out_and_named(tree: Path) -> None:
    (tree / "broken.py").write_text("def (:\n")
    (tree / "latin.py").write_bytes(b"name = 'caf\xe9'\n")
    (tree / "unclosed.py").write_text("x = (1,\n")
    selection = select_sources(tree)
    index = build_index(selection.files)
    assert index.skipped == ["broken.py", "latin.py", "unclosed.py"]
    assert len(index.files) == len(FILES)
    assert index.totals()["files"] == len(FILES)


def test_a_file_whose_names_the_tokenizer_misplaces_is_left_out(
    selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misplaced(readline: Callable[[], str]) -> Iterator[tokenize.TokenInfo]:
        for token in original(readline):
            yield token._replace(start=(token.start[0], token.start[1] + 1))

    original = tokenize.generate_tokens
    monkeypatch.setattr(tokenize, "generate_tokens", misplaced)
    assert "shapes.py" in build_index(selection.files).skipped


def test_progress_ends_at_the_size_of_the_selection(selection: Selection) -> None:
    seen: list[int] = []
    build_index(selection.files, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == selection.nbytes


# Queries and the plain scan


def test_every_possible_query_is_answered_as_a_plain_scan_does(
    selection: Selection, index: Index
) -> None:
    scan = scan_of(selection, index)
    queries = [Query("identifier", name) for name in [*index.names, "absent"]]
    queries += [Query("prefix", name[:at]) for name in index.names for at in (1, 2, 3)]
    queries += [Query("definition", name) for name in [*index.names, "absent"]]
    queries += [
        Query("substring", line[at : at + length])
        for file in index.files
        for line in file.lines
        for at in range(0, len(line), 3)
        for length in (3, 7)
        if len(line[at : at + length]) >= 3
    ]
    assert [
        wrong for query in queries if (wrong := scan.wrong(query, answer_query(index, query)))
    ] == []


def test_real_sources_are_answered_as_a_plain_scan_does() -> None:
    selection = select_sources(byte_budget=300_000)
    index = build_index(selection.files)
    scan = scan_of(selection, index)
    queries = draw_queries(index, range(len(index.files)), 300, seed=3)
    assert {query.kind for query in queries} == set(QUERY_KINDS)
    assert [
        wrong for query in queries if (wrong := scan.wrong(query, answer_query(index, query)))
    ] == []


def test_an_answer_shows_the_first_page_and_counts_all_hits(index: Index) -> None:
    answer = answer_query(index, Query("identifier", "value"))
    number = [file.name for file in index.files].index("below/page.py")
    assert answer.counts == ((number, 90),)
    assert [(hit.line, hit.column) for hit in answer.page] == [
        (line, column) for line in range(1, 31) for column in (0, 8, 16)
    ][:PAGE]
    assert answer.page[0].text == "value = value + value"


def test_substring_hits_say_in_what_kind_of_token_they_are(index: Index) -> None:
    page = answer_query(index, Query("substring", "area")).page
    assert {"comment", "string", "name"} <= {hit.label for hit in page}


def test_definition_hits_show_signature_and_first_line_of_the_docstring(index: Index) -> None:
    (hit,) = answer_query(index, Query("definition", "Circle")).page
    assert (hit.label, hit.text) == ("class Circle(object, metaclass=type)", "A circle.")


def test_an_unknown_kind_of_query_is_refused(index: Index) -> None:
    with pytest.raises(ValueError, match="no such kind"):
        answer_query(index, Query("regex", "x"))


def test_the_same_seed_draws_the_same_queries(index: Index) -> None:
    drawn = draw_queries(index, [0], 50, seed=7)
    assert drawn == draw_queries(index, [0], 50, seed=7)
    assert drawn != draw_queries(index, [0], 50, seed=8)


@pytest.mark.parametrize("kind", ["identifier", "substring", "definition"])
@pytest.mark.parametrize(
    "spoil", ["drop", "count", "line", "column", "label", "order", "file", "twice"]
)
def test_the_plain_scan_finds_every_kind_of_wrong_answer(
    selection: Selection, index: Index, kind: str, spoil: str
) -> None:
    query = Query(kind, "area")
    answer = answer_query(index, query)
    scan = scan_of(selection, index)
    assert scan.wrong(query, answer) is None
    assert scan.wrong(query, _spoiled(answer, spoil)) is not None


def _spoiled(answer: Answer, spoil: str) -> Answer:
    """An answer of at least two files with one thing wrong."""
    counts, page = list(answer.counts), list(answer.page)
    first = page[0]
    match spoil:
        case "drop":
            page.pop()
        case "count":
            counts[0] = (counts[0][0], counts[0][1] + 1)
        case "line":
            page[0] = dataclasses.replace(first, line=first.line - 1)
        case "column":
            page[0] = dataclasses.replace(first, column=first.column + 1)
        case "label":
            page[0] = dataclasses.replace(first, label="x" + first.label)
        case "order":
            page.reverse()
        case "file":
            page[0] = dataclasses.replace(first, file=first.file - 1)
        case "twice":
            counts.append(counts[0])
    return Answer(tuple(counts), tuple(page))


# Sources


def test_the_selection_stays_within_the_budget_and_is_repeatable() -> None:
    selection = select_sources(byte_budget=100_000)
    assert 50_000 < selection.nbytes <= 100_000
    assert selection == select_sources(byte_budget=100_000)
    assert selection.found_bytes > selection.nbytes
    assert [one.name for one in selection.files] == sorted(one.name for one in selection.files)


def test_hidden_folders_and_caches_are_not_read(tree: Path) -> None:
    for name in (".git", "__pycache__", "node_modules"):
        (tree / name).mkdir()
        (tree / name / "x.py").write_text("x = 1\n")
    assert len(select_sources(tree).files) == len(FILES)


def test_a_folder_that_cannot_be_indexed_is_refused_with_the_reason(tree: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        select_sources(tree / "absent")
    with pytest.raises(SourceError, match="not a directory"):
        select_sources(tree / "shapes.py")
    (tree / "none").mkdir()
    with pytest.raises(SourceError, match="no Python files"):
        select_sources(tree / "none")
    with pytest.raises(SourceError, match="larger than 10 bytes"):
        select_sources(tree, byte_budget=10)


# Workers


def test_responses_come_in_the_order_of_the_requests() -> None:
    rng = random.Random(1)
    requests = [rng.randrange(200_000) for _ in range(50)]
    seen: list[int] = []
    with Workers(3, lambda size: (size, "x" * size)) as workers:
        responses = workers.drive(requests, seen.append)
    assert [decode(message) for message in responses.raw] == [(n, "x" * n) for n in requests]
    assert responses.began <= responses.first <= responses.ended
    assert seen[-1] == len(requests)
    assert len(workers.fork_seconds) == 3


def test_every_worker_is_asked_once_and_each_is_a_process_of_its_own() -> None:
    with Workers(3, lambda request: os.getpid()) as workers:
        pids = workers.pids
        assert workers.ask_each("pid") == pids
    assert len({*pids, os.getpid()}) == 4
    assert all(has_ended(pid) for pid in pids)


def test_what_a_worker_raises_reaches_the_parent_with_its_traceback() -> None:
    with Workers(2, lambda request: 1 // request) as workers:
        with pytest.raises(WorkerError, match="ZeroDivisionError"):
            workers.ask_each(0)
        assert workers.ask_each(1) == [1, 1]


def test_a_worker_that_dies_is_an_error_and_the_others_are_ended() -> None:
    def handler(request: object) -> None:
        os._exit(7)

    workers = Workers(2, handler)
    pids = workers.pids
    with pytest.raises(WorkerError, match="ended early"):
        workers.ask_each("die")
    assert "status 7" in (workers.close() or "")
    assert all(has_ended(pid) for pid in pids)


def test_an_exit_function_of_the_parent_does_not_run_in_workers(tmp_path: Path) -> None:
    program = f"""
        import atexit
        from frozen_arena.trees.workers import Workers
        atexit.register(lambda: open({str(tmp_path / "runs")!r}, "a").write("x"))
        print("buffered", end="")
        with Workers(2, str) as workers:
            workers.ask_each(1)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "buffered"
    assert (tmp_path / "runs").read_text() == "x"


def test_workers_do_not_outlive_a_parent_that_is_killed() -> None:
    program = """
        import time
        from frozen_arena.trees.workers import Workers
        workers = Workers(3, str)
        workers.ask_each(1)
        print(*workers.pids, flush=True)
        time.sleep(60)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    assert len(pids) == 3
    deadline = time.monotonic() + 10
    while not all(has_ended(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert all(has_ended(pid) for pid in pids)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or a zombie that nobody waits for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"
