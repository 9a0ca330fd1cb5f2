"""A pytest plugin: freezes all that is alive when tests are collected, and keeps their outcomes.

Loaded with ``-p`` into the run of a library's own tests. FROZEN_ARENA_RECORD names the file that
takes a line of JSON for each test; with PYTHONFROZENARENA set, everything from start-up on lies in
an arena, which is frozen and sealed before the first test.
"""

from __future__ import annotations

import json
import os
from typing import Any

RECORD = os.environ.pop("FROZEN_ARENA_RECORD")
IS_FROZEN_RUN = bool(os.environ.pop("PYTHONFROZENARENA", ""))
_outcomes: dict[str, str] = {}


def _write(line: dict[str, Any]) -> None:
    with open(RECORD, "a", encoding="utf-8") as out:  # noqa: PTH123
        out.write(json.dumps(line) + "\n")


def pytest_collection_finish(session: Any) -> None:
    if IS_FROZEN_RUN:
        import frozen_arena as fa

        arena = fa.freeze()
        assert arena is not None
        assert arena.report is not None
        _write({"state": arena.state, "frozen": arena.report.frozen})


def pytest_runtest_logreport(report: Any) -> None:
    known = _outcomes.get(report.nodeid, "passed")
    outcome = report.outcome if not hasattr(report, "wasxfail") else f"{report.outcome} (xfail)"
    if report.when == "call" or outcome != "passed":
        worst = known if known == "failed" else outcome
        _outcomes[report.nodeid] = worst
        said = str(report.longrepr)[-2000:] if outcome == "failed" else ""
        _write({"case": report.nodeid, "outcome": worst, "said": said})
