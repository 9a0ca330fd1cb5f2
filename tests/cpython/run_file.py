"""Runs one file of CPython's own test suite in this process, in one mode.

    run_file.py MODE RECORD FILE SECONDS [CASE THAT IS LEFT OUT ...]

    stock    without frozen arena
    hooks    the hooks are installed, no block is open
    routed   every allocation of every thread goes to an arena; nothing is ever frozen
    frozen   so does everything from start-up on; when the tests of the file are loaded, all that
             is alive is frozen and sealed, and then they run

The file is run by `test.libregrtest`, as `python -m test FILE` does. What came of each test case is
written to RECORD, a line of JSON each, as soon as it is known: a crash takes only itself along.
Started by `outcomes`, which sets PYTHONFROZENARENA for the last two modes.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import unittest
from typing import Any

MODES = ("stock", "hooks", "routed", "frozen")


def write(record: str, line: dict[str, Any]) -> None:
    """Appends a line; the file is not kept open, as tests count descriptors."""
    with open(record, "a", encoding="utf-8") as out:  # noqa: PTH123 (without another import)
        out.write(json.dumps(line) + "\n")


def begin(mode: str, record: str) -> None:
    """Puts this process into `mode`, and says in the record that it is."""
    # What tests start is not under test, and would be started by some with an environment and by
    # others without.
    os.environ.pop("PYTHONFROZENARENA", None)
    if mode == "stock":
        assert "frozen_arena" not in sys.modules
        return
    import frozen_arena as fa

    if mode == "hooks":
        with fa.frozen_arena():
            pass
        assert fa.status().available
    else:
        (arena,) = fa.arenas()
        assert arena.state == "building"
    write(record, {"mode": mode})
    if mode == "frozen":
        freeze_when_loaded(record)


def freeze_when_loaded(record: str) -> None:
    """Freezes once, when the loader hands the tests of the whole file to libregrtest."""
    import frozen_arena as fa

    load = unittest.TestLoader.loadTestsFromModule
    depth = 0
    is_frozen = False

    def load_and_freeze(self: unittest.TestLoader, *args: Any, **kwargs: Any) -> Any:
        nonlocal depth, is_frozen
        depth += 1
        try:
            suite = load(self, *args, **kwargs)
        finally:
            depth -= 1
        if depth == 0 and not is_frozen:  # a package of tests loads its modules within the call
            is_frozen = True
            arena = fa.freeze()
            assert arena is not None
            assert arena.report is not None
            state = {"state": arena.state, "frozen": arena.report.frozen}
            write(record, state | {"unsealed": arena.report.unsealed_bytes})
        return suite

    unittest.TestLoader.loadTestsFromModule = load_and_freeze  # type: ignore[method-assign]


def keep_results(record: str) -> None:
    """Has the results that libregrtest collects written to the record as well."""
    try:
        from test.libregrtest.testresult import RegressionTestResult as Result
    except ImportError:  # early releases of 3.11 and 3.12
        from test.support.testresult import RegressionTestResult as Result

    def keeping(name: str, outcome: str) -> None:
        original = getattr(Result, name)

        def keep(self: Any, test: Any, *args: Any) -> Any:
            said = ""
            if args and isinstance(args[-1], tuple):
                said = "".join(traceback.format_exception(*args[-1]))[-3000:]
            elif args and isinstance(args[-1], str):
                said = args[-1]
            if name != "addSubTest":
                write(record, {"case": test.id(), "outcome": outcome, "said": said})
            elif args[-1] is not None:
                write(record, {"case": test.id(), "outcome": "failed", "said": said})
            return original(self, test, *args)

        setattr(Result, name, keep)

    keeping("addSuccess", "passed")
    keeping("addFailure", "failed")
    keeping("addError", "failed")
    keeping("addSubTest", "failed")
    keeping("addSkip", "skipped")
    keeping("addExpectedFailure", "failed as expected")
    keeping("addUnexpectedSuccess", "passed unexpectedly")


def main() -> None:
    mode, record, name, seconds, *ignored = sys.argv[1:]
    begin(mode, record)
    from test.libregrtest.main import main as run

    keep_results(record)
    del sys.argv[1:]
    # A test that changes the environment is told by the exit status.
    sys.argv += ["--fail-env-changed", "--timeout", seconds]
    sys.argv += [f"--ignore={pattern}" for pattern in ignored]
    sys.argv.append(name)
    run()


if __name__ == "__main__":
    main()
