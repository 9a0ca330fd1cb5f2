"""What a test file of CPython does in a mode: runs `run_file.py` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

THE_FILE = "(the whole file)"
HERE = Path(__file__).parent
RUN_FILE = HERE / "run_file.py"
EXIT_STATUS = {0: "passed", 2: "failed", 3: "changed its environment", 4: "ran no test"}
# The rank of what can be said of one case more than once: of its subtests, say.
WORST_FIRST = ("failed", "passed unexpectedly", "failed as expected", "skipped", "passed")
# No fork freezes: run_file.py does, or nobody.
COLLECT = f"min_new={1 << 60},huge_pages=never,require=1"


def lines(path: Path) -> list[str]:
    """The words of a list, without what follows a ``#``."""
    told = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    return [line for line in told if line]


@dataclass
class Outcomes:
    """What one run of one file said: ``cases`` by test id, and ``said`` by those that failed."""

    file: str
    mode: str
    cases: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    output: str = ""
    seconds: float = 0.0
    frozen: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether the file passed, and every case of it passed, or was not to be run."""
        as_wanted = {"passed", "skipped", "failed as expected"}
        return self.cases[THE_FILE] == "passed" and set(self.cases.values()) <= as_wanted


def run(file: str, mode: str, limit: int) -> Outcomes:
    """Runs `file`, such as ``test_gc``, and waits; it is ended after `limit` seconds and a bit."""
    start = time.perf_counter()
    outcomes = Outcomes(file, mode)
    with tempfile.TemporaryDirectory(prefix="cpython-", ignore_cleanup_errors=True) as scratch:
        record = Path(scratch, "record")
        environment = os.environ | {"TMPDIR": scratch, "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONFROZENARENA", None)
        environment.pop("COLUMNS", None)
        if mode in ("routed", "frozen"):
            environment["PYTHONFROZENARENA"] = COLLECT
        command = [sys.executable, str(RUN_FILE), mode, str(record), file, str(limit)]
        command += lines(HERE / "not_run.txt")
        status, outcomes.output = _finish(command, environment, scratch, limit + 60)
        if record.exists():
            _read(record, outcomes)
    if outcomes.mode == "frozen" and not outcomes.frozen:
        status = f"{status}, never frozen"
    outcomes.cases[THE_FILE] = status
    outcomes.seconds = time.perf_counter() - start
    return outcomes


def _finish(
    command: list[str], environment: dict[str, str], folder: str, limit: float
) -> tuple[str, str]:
    """How the process ended, in words, and what it wrote. It has a session of its own."""
    with tempfile.TemporaryFile(dir=folder) as out:  # no pipe, that a left-over child might hold
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = "did not end"
        else:
            status = EXIT_STATUS.get(code, f"exit status {code}")
            if code < 0:
                status = f"killed by {signal.Signals(-code).name}"
        out.seek(0)
        return status, out.read().decode("utf-8", "backslashreplace")


def _read(record: Path, outcomes: Outcomes) -> None:
    for line in record.read_text(encoding="utf-8").splitlines():
        told: dict[str, Any] = json.loads(line)
        if "frozen" in told:
            assert told["state"] == "sealed", told
            outcomes.frozen = told["frozen"]
        if "case" not in told:
            continue
        case = _without_addresses(told["case"])
        known = outcomes.cases.get(case, "passed")
        outcomes.cases[case] = min(known, told["outcome"], key=WORST_FIRST.index)
        if told["said"]:
            outcomes.said[case] = told["said"]


def _without_addresses(case: str) -> str:
    return re.sub(r"\b0x[0-9a-f]+\b", "0x...", case)


@dataclass(frozen=True)
class Difference:
    """A case that does with us what it does not do without."""

    mode: str
    file: str
    case: str
    stock: str
    ours: str
    said: str

    def __str__(self) -> str:
        return f"{self.mode}: {self.case}: {self.stock} without us, {self.ours} with us"


def differences(stock: Outcomes, ours: Outcomes) -> list[Difference]:
    """Case by case; that of the whole file only where its cases do not say it all."""
    cases = [case for case in {**stock.cases, **ours.cases} if case != THE_FILE]
    found = [
        Difference(ours.mode, ours.file, case, before, after, ours.said.get(case, ""))
        for case in cases
        if (before := stock.cases.get(case, "did not run"))
        != (after := ours.cases.get(case, "did not run"))
    ]
    before, after = stock.cases[THE_FILE], ours.cases[THE_FILE]
    told_by_cases = {before, after} <= {"passed", "failed"} and found
    if before != after and not told_by_cases:
        case = f"{ours.file} {THE_FILE}"
        tail = "\n".join(ours.output.splitlines()[-60:])
        found.insert(0, Difference(ours.mode, ours.file, case, before, after, tail))
    return found
