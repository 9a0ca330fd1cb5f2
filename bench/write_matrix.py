"""Write matrix: which operation of a reading worker writes to which object.

The pairs of object and operation are those of tests/python/write_matrix.py; write_matrix_page.py
makes a page of the documentation of what comes out.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

from bench import harness

sys.path.insert(0, str(harness.CHECKOUT / "tests" / "python"))
import write_matrix

MODULE = "bench.write_matrix"


def measure(_arguments: argparse.Namespace) -> harness.Result:
    """Runs every pair on this interpreter; without the package none."""
    pairs = write_matrix.all_pairs()
    results = {} if harness.no_package()[0] else write_matrix.run_all(pairs)
    result = harness.Result(
        f"Write matrix: what copies, of {len(pairs)} pairs", ("pair", "OS pages", "why")
    )
    wrong = 0
    for pair in pairs if results else ():
        cell = write_matrix.cell(pair, results[pair.name])
        verdict = write_matrix.verdict(pair, results[pair.name])
        entry = pair.expected()
        wrong += bool(verdict)
        if cell != "0":
            result.rows.append((pair.name, cell, verdict or (entry.reason if entry else "")))
        result.data.append({**dataclasses.asdict(results[pair.name]), "cell": cell})
    result.bounds.append(
        harness.bound(
            "pairs that are not as the table says",
            wrong if results else None,
            0,
            harness.no_package(),
        )
    )
    return result


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, None, measure), __doc__))
