"""Images: opening one in a fresh process beside `pickle.load` of the same data.

One process builds the data and writes both files. Then fresh processes take turns: each opens the
image or loads the pickle, walks all of it, collects, and says what that took. Images are opened at
fixed addresses (``setarch -R``), where nothing is patched, and at random ones. All have the same
hash seed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import harness, memory
from bench.runner import in_rounds

MODULE = "bench.images"
WAYS = ("image, fixed addresses", "image, random addresses", "pickle.load")
_MAX_OPEN_MS = 2.0
_MAX_PRIVATE = 8
_MAX_TIME = 0.25
_SEED = {"PYTHONHASHSEED": "7"}


def _records(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": 1_000_000 + i,
            "name": f"record {i}",
            "price": i / 7,
            "tags": [f"tag {i % 1000}", f"place {i % 50_000}"],
            "at": (i, f"zone {i % 24}"),
        }
        for i in range(count)
    ]


def _walk(rows: list[dict[str, Any]]) -> float:
    """All keys and values, one level of nesting included."""
    total = 0.0
    for row in rows:
        total += row["id"] + row["price"] + len(row["name"]) + row["at"][0] + len(row["at"][1])
        for tag in row["tags"]:
            total += len(tag)
    return total


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Writes both files, or opens one of them.

    Args:
        request: ``way`` (``write`` or one of WAYS), ``folder``, ``records``.

    Returns:
        Seconds, and for images private OS pages and patched words.
    """
    import frozen_arena

    folder = Path(request["folder"])
    image_path, pickle_path = folder / "data.image", folder / "data.pickle"
    if request["way"] == "write":
        rows = _records(request["records"])
        arena = frozen_arena.pack(rows)
        start = time.perf_counter()
        arena.save(image_path)
        saved = time.perf_counter() - start
        with pickle_path.open("wb") as file:
            pickle.dump(rows, file, pickle.HIGHEST_PROTOCOL)
        return {"save_seconds": saved, "image_bytes": image_path.stat().st_size}
    answer: dict[str, Any] = {}
    if request["way"] == "pickle.load":
        gc.disable()  # the better of the two for pickle
        start = time.perf_counter()
        with pickle_path.open("rb") as file:
            rows = pickle.load(file)
        answer["open_seconds"] = time.perf_counter() - start
        gc.enable()
        arena = None
    else:
        from frozen_arena.imaging import opening  # what the first call would import

        del opening
        start = time.perf_counter()
        image = frozen_arena.open_image(image_path)
        rows, arena = image.root, image.arena
        answer["open_seconds"] = time.perf_counter() - start
        answer["patched_words"] = image.report.patched_words
    start = time.perf_counter()
    _walk(rows)
    answer["walk_seconds"] = time.perf_counter() - start
    gc.collect()
    if arena is not None:
        lanes = arena.sharing().lanes
        answer["private_os_pages"] = sum(lane.private_os_pages for lane in lanes.values())
    answer["own_mib"] = memory.own_bytes(os.getpid()) / memory.MIB
    return answer


def _fresh(request: dict[str, Any], still: bool) -> dict[str, Any]:
    """As `harness.fresh`, at fixed addresses where that is asked for."""
    if not still:
        answer: dict[str, Any] = harness.fresh(MODULE, request, **_SEED)
        return answer
    reading, writing = os.pipe()
    words = ["--tree", json.dumps(request), "--answer", str(writing)]
    with os.fdopen(reading, encoding="utf-8") as pipe:
        process = subprocess.Popen(
            ["setarch", "-R", sys.executable, "-m", MODULE, *words],
            pass_fds=(writing,),
            env=harness.environment(**_SEED),
        )
        os.close(writing)
        text = pipe.read()
    if process.wait() != 0 or not text:
        raise RuntimeError(f"{MODULE} ended with status {process.returncode}")
    found: dict[str, Any] = json.loads(text)
    return found


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs the rounds and compares."""
    records = arguments.records or (20_000 if arguments.quick else 1_000_000)
    rounds = arguments.rounds or (1 if arguments.quick else 5)
    result = harness.Result(
        f"Images of {records:,} records, median of {rounds}",
        ("way", "open ms", "patched words", "private OS pages", "walk ms", "own MiB"),
    )
    can_stand = shutil.which("setarch") is not None
    if harness.no_package()[0]:
        result.bounds.append(harness.bound("opening", None, _MAX_OPEN_MS, harness.no_package()))
        return result
    ways = [way for way in WAYS if can_stand or "fixed" not in way]
    with tempfile.TemporaryDirectory() as folder:
        request = {"folder": folder, "records": records}
        written = _fresh({**request, "way": "write"}, can_stand)
        mib = written["image_bytes"] / memory.MIB
        result.notes.append(f"image of {mib:,.1f} MiB, saved in {written['save_seconds']:.2f} s")
        found = in_rounds(
            result, ways, lambda way: _fresh({**request, "way": way}, "fixed" in way), rounds
        )
    middle: dict[str, dict[str, float]] = {}
    for way, answers in found.items():
        middle[way] = {
            key: harness.middle([answer[key] for answer in answers]) for key in answers[0]
        }
        one = middle[way]
        result.rows.append(
            [
                way,
                one["open_seconds"] * 1000,
                one.get("patched_words"),
                one.get("private_os_pages"),
                one["walk_seconds"] * 1000,
                one["own_mib"],
            ]
        )
        result.data.append({"way": way, "answers": answers})
    fixed, random_, pickled = (middle.get(way, {}) for way in WAYS)
    still = (not can_stand, "there is no setarch")
    small = harness.too_small(arguments.quick or records < 500_000)
    result.bounds += [
        harness.bound(
            "opening where nothing moves, ms",
            fixed["open_seconds"] * 1000 if fixed else None,
            _MAX_OPEN_MS,
            still,
            small,
        ),
        harness.bound(
            "private OS pages where nothing moves, after a walk and a collection",
            fixed.get("private_os_pages"),
            _MAX_PRIVATE,
            still,
            harness.NO_IMMORTALS,
        ),
        harness.bound(
            "opening with relocation, x pickle.load",
            random_["open_seconds"] / pickled["open_seconds"] if random_ and pickled else None,
            _MAX_TIME,
            small,
        ),
    ]
    return result


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, help="processes for each way (default 5)")
    parser.add_argument("--records", type=int, help="records (default 1,000,000)")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
