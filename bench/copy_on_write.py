"""Random programs that change frozen data in forked children, beside an ordinary model.

    python bench/copy_on_write.py --programs 10000 [--seed N] [--json]

Prints how many programs ran, how long they took and that nothing differed; a program that fails is
printed in the smallest form that still fails, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "python"))
import test_copy_on_write


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a sentence")
    options = parser.parse_args()
    start = time.perf_counter()
    try:
        ran = test_copy_on_write.check(options.programs, start=options.seed)
    except Exception as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
        return 1
    seconds = time.perf_counter() - start
    if options.json:
        row = {"python": platform.python_version(), "programs": ran, "seconds": round(seconds, 1)}
        print(json.dumps(row | {"differences": 0, "crashes": 0}))
    else:
        print(
            f"{platform.python_version()}: {ran} programs in {seconds:.0f} s, "
            "0 differences, 0 crashes"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
