"""Prints "PASSED FAILED SKIPPED": the sums over the JUnit files in the folders that are given."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(path: Path) -> tuple[int, int, int]:
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main() -> None:
    reports = [count(path) for folder in sys.argv[1:] for path in Path(folder).glob("*.xml")]
    print(*(sum(column) for column in zip((0, 0, 0), *reports, strict=True)))


if __name__ == "__main__":
    main()
