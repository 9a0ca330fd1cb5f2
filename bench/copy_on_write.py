"""Copy-on-write: random programs that change frozen data in forked children, beside a model.

The programs are those of tests/python/test_copy_on_write.py, only more of them. One that fails is
shown in the smallest form that still fails.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench import harness

sys.path.insert(0, str(harness.CHECKOUT / "tests" / "python"))
import test_copy_on_write

MODULE = "bench.copy_on_write"
_PROGRAMS = 10_000
_QUICK_PROGRAMS = 300


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the programs; the first that fails ends the run."""
    programs = arguments.programs or (_QUICK_PROGRAMS if arguments.quick else _PROGRAMS)
    result = harness.Result(
        f"Copy-on-write: {programs:,} random programs", ("programs", "failed", "seconds")
    )
    failed = None
    if not harness.no_package()[0]:
        failed = 0
        start = time.perf_counter()
        try:
            test_copy_on_write.check(programs, start=arguments.seed)
        except Exception as error:  # whatever is wrong with the program that failed
            failed = 1
            result.notes += [str(error), *getattr(error, "__notes__", ())]
        seconds = time.perf_counter() - start
        result.rows.append((f"{programs:,}", failed, seconds))
        result.data.append({"programs": programs, "failed": failed, "seconds": seconds})
    what = "programs that differ from the model, or crash"
    result.bounds.append(harness.bound(what, failed, 0, harness.no_package()))
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--programs", type=int, help="how many (default 10,000)")
    parser.add_argument("--seed", type=int, help="draw the same programs again")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure, _arguments), __doc__))
