"""The page of benchmarks, its pictures and the model, from what is kept."""

import re
from typing import Any

import pytest

from bench import bounds, harness, model, page, page_sections, pictures

KEPT = page.kept_runs()
NEEDS_MEMORY = pytest.mark.skipif("memory_by_workers" not in KEPT, reason="no result is kept")
NEEDS_MODEL = pytest.mark.skipif(
    not all(name in KEPT for name in model.FITTED), reason="not all results are kept"
)


@NEEDS_MEMORY
def test_the_page_and_its_part_of_readme_are_what_the_kept_results_make() -> None:
    say = "make them again: python -m bench.page"
    assert page.page(KEPT) == page.PAGE.read_text(encoding="utf-8"), say
    readme = page.README.read_text(encoding="utf-8")
    assert page.with_part(readme, page.readme_part(KEPT)) == readme, say


@NEEDS_MEMORY
def test_every_picture_of_the_page_is_kept_and_small() -> None:
    shown = set(re.findall(r"\]\(pictures/(\w+)\.svg\)", page.page(KEPT)))
    assert shown
    assert shown == {path.stem for path in pictures.FOLDER.glob("*")}
    for name in shown:
        path = pictures.picture_path(name)
        assert path.stat().st_size < 60_000, path
        assert "<dc:date>" not in path.read_text(encoding="utf-8")


@NEEDS_MODEL
def test_the_model_is_at_most_a_tenth_off_what_was_measured() -> None:
    found = list(model.checks(KEPT))
    assert len(found) > 30
    assert {check.what: check.error for check in found if check.error > model.MAX_ERROR} == {}


def test_the_model_adds_up_what_its_constants_say() -> None:
    one = model.Model(
        parent=10, worker=5, copied=0.5, pages_a_change=2, spread=100, fork=1, fork_a_gib=20
    )
    assert one.node(100, 4) == 10 + 100 + 4 * (5 + 50)
    assert one.fork_ms(512) == 1 + 10
    few = one.changed(100, 10) * model.memory.MIB / model.memory.OS_PAGE
    assert few == pytest.approx(20, rel=0.01)
    assert one.node(1, 1, 10**9) == 10 + 1 + 5 + 1  # never more than the data


def test_names_at_the_ends_of_lines_stand_apart_and_in_order() -> None:
    placed = pictures.spread_out({"a": 1.0, "b": 1.0, "c": 5.0}, 2.0)
    assert placed == {"a": 0.0, "b": 2.0, "c": 5.0}
    assert pictures.spread_out({"a": 1.0}, 2.0) == {"a": 1.0}


def test_where_a_packed_form_wins_stands_on_the_first_screen() -> None:
    def figures(peer: str, form: str, ns: float) -> dict[str, Any]:
        spreads = {what: {"median": ns, "low": ns, "high": ns} for what in ("whole", "one value")}
        return {"peer": peer, "form": form, "kind": "simple", "values": 5, "ns": spreads}

    machine = {**harness.machine_facts(), "commit": "abc"}
    run = {
        "scenario": "look_ups",
        "machine": machine,
        "figures": [figures("frozen arena", "ordinary objects", 50), figures("LMDB", "packed", 40)],
    }
    first = page.page({"look_ups": run})[:1500]
    assert "**Look-ups are faster in** LMDB (whole of 5 numbers and short texts: 40 ns" in first
    assert bounds.machine_words(machine) in page_sections.measured_on(run)


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    text = f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n"
    assert page.with_part(text, "new") == f"before\n{page.BEGIN}\nnew\n{page.END}\nafter\n"
