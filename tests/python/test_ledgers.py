"""Reports are ledgers that add up; `check_ledgers` asks that of every report of every test."""

from __future__ import annotations

import frozen_arena
import pytest
from forking import run_python
from frozen_arena.ledger import Ledger, broken
from frozen_arena.report import LaneSharing, Sharing

AVAILABLE = frozen_arena.status().available
only_with_arenas = pytest.mark.skipif(not AVAILABLE, reason="arenas do not work here")


def test_a_ledger_that_does_not_add_up_is_found_and_named() -> None:
    good = Sharing({"objects": LaneSharing(10, 7, 3, 4, 4096)})
    assert broken(good) is None
    assert good.ledgers[0].to_dict() == {
        "name": "objects",
        "unit": "bytes",
        "parts": {"shared": 28672, "private": 12288},
        "whole": {"mapped": 40960},
    }
    wrong = Sharing({"objects": LaneSharing(10, 7, 2, 4, 4096)})
    assert "is wrong by 4,096" in str(broken(wrong))
    less = Sharing({"objects": LaneSharing(10, 13, -3, 4, 4096)})
    assert "less than nothing" in str(broken(less))


def test_a_ledger_prints_its_equation() -> None:
    ledger = Ledger(
        "memory", (("live", 1_000_000), ("free", 48_576)), ("mapped", 1_048_576), "bytes"
    )
    assert str(ledger) == "1,000,000 live + 48,576 free = 1,048,576 mapped (1.0 MiB)"
    assert ledger.balance == 0


def test_the_status_is_a_ledger_of_its_checks_and_a_table_in_notebooks() -> None:
    status = frozen_arena.status()
    assert broken(status) is None
    html = status._repr_html_()
    assert html.startswith("<div>")
    assert html.count("<tr") == html.count("</tr>") > 2
    if AVAILABLE:
        assert "things that arenas use" in str(status)
    else:
        assert str(status.reason) in str(status)


@only_with_arenas
def test_reports_print_ledgers_to_the_byte_and_escape_what_they_show() -> None:
    run_python(
        """
        class Odd:
            __slots__ = ("other", "__weakref__")
            def __del__(self):
                pass
        Odd.__qualname__ = "Odd<b>"

        with frozen_arena() as arena:
            data = [[number, str(number)] for number in range(30_000)], Odd()
        report = arena.report
        sums = {ledger.name: ledger.whole[1] for ledger in report.ledgers}
        assert sums["memory"] == report.mapped_bytes == sums["pages"] == sums["file"]
        assert f"{report.live_bytes:,} live" in str(report), report
        assert f"{report.frozen:,} frozen + {report.mortal:,} mortal" in str(report), report
        html = report._repr_html_()
        assert "Odd&lt;b&gt;" in html and "Odd<b>" not in html, html
        for item in data[0]:
            item[0] = None
        sharing = arena.sharing()
        assert f"{sharing.private_bytes:,} private" in str(sharing), sharing
        assert f"{sharing.private_bytes:,}" in sharing._repr_html_()
        """
    )


@only_with_arenas
def test_the_helper_of_the_suite_sees_a_report_that_is_wrong() -> None:
    run_python(
        """
        from frozen_arena.report import LaneSharing, Sharing
        try:
            Sharing({"objects": LaneSharing(10, 7, 2, 4, 4096)})
        except AssertionError as error:
            assert "is wrong by" in str(error)
        else:
            raise SystemExit("nobody looked")
        """
    )


@only_with_arenas
def test_every_number_of_a_report_is_in_its_dict() -> None:
    run_python(
        """
        import dataclasses
        with frozen_arena() as arena:
            data = [[number] for number in range(100)]
        plain = arena.report.to_dict()
        assert json.loads(json.dumps(plain)) is not None
        assert {field.name for field in dataclasses.fields(arena.report)} <= plain.keys()
        assert arena.sharing().to_dict()["private_bytes"] == 0
        """
    )
