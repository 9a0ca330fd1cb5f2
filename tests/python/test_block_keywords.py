"""Keywords of the block: a wrong one is an error that names what is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from forking import run_python

WRONG_VALUES = [
    ({"threads": "some"}, ("current", "all")),
    ({"huge_pages": "maybe"}, ("auto",)),
    ({"reshare": "always"}, ("auto", "never")),
    ({"on_unsupported": "explode"}, ("warn", "raise", "ignore")),
    ({"limit": -1}, ("limit",)),
]

WRONG_TYPES = [
    ({"name": 5}, ("name", "str")),
    ({"threads": 1}, ("threads",)),
    ({"keep_mortal": 5}, ("keep_mortal",)),
    ({"keep_mortal": ["list"]}, ("keep_mortal", "type")),
    ({"also_freeze": [5]}, ("also_freeze", "type")),
    ({"instance_dicts": "yes"}, ("instance_dicts", "bool")),
    ({"limit": "1 GiB"}, ("limit", "bytes")),
    ({"limit": 1.5}, ("limit", "bytes")),
    ({"huge_pages": 7}, ("huge_pages",)),
    ({"reshare": True}, ("reshare", "str")),
    ({"on_unsupported": None}, ("on_unsupported",)),
]


def _raised_by(keywords: dict[str, Any]) -> Any:
    return run_python(
        """
        keywords = json.loads(sys.argv[1])
        try:
            frozen_arena(**keywords)
        except Exception as error:
            print(json.dumps([type(error).__name__, str(error)]))
        assert fa.arenas() == [] or fa.arenas() == ()
        """,
        json.dumps(keywords),
    ).json


@pytest.mark.parametrize(("keywords", "named"), WRONG_VALUES, ids=str)
def test_wrong_value_is_a_value_error_that_names_the_accepted_ones(
    keywords: dict[str, Any], named: tuple[str, ...]
) -> None:
    kind, message = _raised_by(keywords)
    assert kind == "ValueError"
    assert [word for word in named if word not in message] == []


def test_decorator_without_parentheses_says_how_it_is_written() -> None:
    run_python(
        """
        def build(): pass
        for decorated in (build, dict, len):
            try:
                frozen_arena(decorated)
            except TypeError as error:
                assert "@frozen_arena()" in str(error), error
            else:
                raise AssertionError(decorated)
        """
    )


@pytest.mark.parametrize(("keywords", "named"), WRONG_TYPES, ids=str)
def test_wrong_type_is_a_type_error_that_names_the_keyword(
    keywords: dict[str, Any], named: tuple[str, ...]
) -> None:
    kind, message = _raised_by(keywords)
    assert kind == "TypeError"
    assert [word for word in named if word not in message] == []


def test_unknown_keyword_and_second_positional_argument_are_type_errors() -> None:
    run_python(
        """
        for args, keywords in ((("name",), {"thread": "all"}), (("name", "all"), {})):
            try:
                frozen_arena(*args, **keywords)
            except TypeError:
                pass
            else:
                raise AssertionError((args, keywords))
        """
    )


@pytest.mark.parametrize(
    "keywords",
    [
        "threads='current'",
        "threads='all'",
        "huge_pages='auto'",
        "huge_pages='never'",
        "instance_dicts=True",
        "limit=1 << 30",
        "on_unsupported='raise'",
        "on_unsupported='ignore'",
        "keep_mortal=dict, also_freeze=(set,)",
        "keep_mortal=(dict, list), also_freeze=lambda kind: False",
    ],
)
def test_accepted_value_seals_an_arena(keywords: str) -> None:
    run_python(
        f"""
        with frozen_arena("ok", {keywords}) as arena:
            data = [str(number) * 2 for number in range(1000)]
        assert arena.state == "sealed" and data[999] == "999999"
        """
    )


def test_predicate_that_raises_passes_its_exception_on_and_freezes_nothing() -> None:
    run_python(
        """
        def refuse(kind):
            raise LookupError("not this one")
        try:
            with frozen_arena(keep_mortal=refuse) as arena:
                data = [[number] for number in range(1000)]
        except LookupError as error:
            assert str(error) == "not this one"
        else:
            raise AssertionError("the exception of the predicate did not pass")
        assert arena.state == "abandoned", arena.state
        assert data[999] == [999] and sys.getrefcount(data[3]) < 10
        """
    )


def test_small_limit_sends_the_rest_to_the_ordinary_heap_and_counts_it() -> None:
    run_python(
        """
        with frozen_arena(limit=4 << 20) as arena:
            data = [str(number) * 40 for number in range(100_000)]
            large = bytearray(8 << 20)
        assert data == [str(number) * 40 for number in range(100_000)]
        assert arena.state == "sealed"
        assert arena.report.overflow_blocks > 1000, arena.report
        assert arena.nbytes <= 4 << 20, arena.nbytes
        assert data[0] in arena and data[-1] not in arena
        assert fork_and_report(lambda: sum(map(len, data))) == sum(map(len, data))
        """
    )


def test_overflow_counts_each_allocation_and_its_bytes() -> None:
    """A block with 200 objects against one with 100: the rest of both is the same."""
    seen = run_python(
        """
        def overflow(count):
            source = "data = [" + "object(), " * count + "]"
            code = compile(source, "block", "exec")
            names = {"data": None}
            with frozen_arena(limit=1) as arena:
                exec(code, names)
            assert arena.report.blocks == arena.nbytes == 0, arena.report
            assert names["data"] not in arena and names["data"][-1] not in arena
            return arena.report.overflow_blocks, arena.report.overflow_bytes
        overflow(1)
        (few, few_bytes), (many, many_bytes) = overflow(100), overflow(200)
        print(json.dumps([many - few, many_bytes - few_bytes, object.__basicsize__]))
        """
    ).json
    assert seen[:2] == [100, 100 * seen[2]]  # their list grows where it lies, which counts nothing


def test_what_a_limit_keeps_out_and_what_it_lets_in_add_up() -> None:
    run_python(
        """
        data = [None] * 50_000
        room = range(len(data))
        with frozen_arena(limit=1 << 20) as arena:
            for index in room:
                data[index] = {index}
        inside = sum(part in arena for part in data)
        report = arena.report
        assert arena.nbytes <= 1 << 20 and 0 < inside < len(data)
        assert dict((name, count) for name, _, count in report.frozen_types)["set"] == inside
        missing = len(data) - inside
        assert missing <= report.overflow_blocks, report
        assert f"{report.overflow_blocks:,} allocations" in str(report) and "limit=" in str(report)
        """
    )
