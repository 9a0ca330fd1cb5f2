"""Adds up the JUnit files in a folder: "PASSED FAILED SKIPPED", then what each failed test says.

What a test says is cut to the lines that name the assertion, so that a runner which keeps only a
part of the output still keeps the name and the reason.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

LINES_OF_A_FAILURE = 30


def failure_of(case: ElementTree.Element) -> ElementTree.Element | None:
    failure = case.find("failure")
    return case.find("error") if failure is None else failure


def told(case: ElementTree.Element, failure: ElementTree.Element) -> list[str]:
    """The name of the test and its last lines: with what it asserted pytest and ctest end."""
    said = [failure.text or failure.get("message") or "", case.findtext("system-out") or ""]
    lines = [line for line in "\n".join(said).splitlines() if line.strip()]
    return [f"{case.get('classname')}::{case.get('name')}", *lines[-LINES_OF_A_FAILURE:]]


def main() -> None:
    (folder,) = sys.argv[1:]
    cases = [
        case
        for path in sorted(Path(folder).glob("*.xml"))
        for case in ElementTree.parse(path).iter("testcase")
    ]
    failures = [(case, failure) for case in cases if (failure := failure_of(case)) is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    print(len(cases) - len(failures) - skipped, len(failures), skipped)
    for case, failure in failures:
        first, *rest = told(case, failure)
        print(f"--- {first}", *(f"    {line}" for line in rest), sep="\n")


if __name__ == "__main__":
    main()
