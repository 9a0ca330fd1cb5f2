"""Copied pages: what a child that reads everything copies, for each standard data set.

For each data set and each way (stock, gc.freeze, frozen arena) a fresh process builds the data and
forks one child, which reads all of it as `readers.read_everything` does. Counted are the OS pages
of the arena that the child copied, by lane, and by how much the child's own bytes grew. On CPython
3.11 the child gives back first what says the same as before again.
"""

from __future__ import annotations

import argparse
import gc
import sys
from typing import Any

from bench import harness, memory
from bench.datasets import DATASETS, Dataset
from bench.readers import read_everything

MODULE = "bench.copied_pages"
_WARM_UP_SCALE = 0.001
_MAX_PAGES = 8
_MAX_GROWTH = 0.10
_NAMED_CHANGES = 24
_QUICK_SCALE = 0.05


def tree(request: dict[str, Any]) -> dict[str, Any]:
    """Builds one data set in one mode, and has one forked child read it.

    Args:
        request: ``dataset``, ``mode`` and ``scale``, 0 for no data at all.

    Returns:
        ``data_bytes`` of the parent, and what the child saw.
    """
    dataset = DATASETS[request["dataset"]]
    read_everything(dataset.build(_WARM_UP_SCALE), dataset)  # imports, caches of code and types
    gc.collect()
    before = memory.resident_bytes()
    options = {**dataset.options, "reshare": "never"}  # what is copied, not what comes back
    with harness.prepared(request["mode"], dataset.name, options) as arena:
        root = dataset.build(request["scale"]) if request["scale"] else []
    grown = memory.resident_bytes() - before
    frozen = arena is not None
    child = harness.Child(lambda: _read(root, dataset, frozen))
    answer: dict[str, Any] = {"data_bytes": grown, **child.answer()}
    child.leave()
    if frozen and arena.report is not None:
        answer["report"] = arena.report.to_dict()
    return answer


def _read(root: Any, dataset: Dataset, frozen: bool) -> dict[str, Any]:
    """In the child: reads, and says what that copied."""
    memory.own_bytes()  # what reading /proc itself needs is there before the first figure
    before = memory.own_bytes()
    answer: dict[str, Any] = {"visited": read_everything(root, dataset)}
    harness.give_back("frozen" if frozen else "")
    answer["own_bytes"] = memory.own_bytes() - before
    if frozen:
        from frozen_arena import sharing

        for name, lane in sharing().lanes.items():
            answer[f"{name}_os_pages"] = lane.private_os_pages
        copied = answer["objects_os_pages"] + answer["payload_os_pages"]
        answer["who"] = _who() if copied else []
    return answer


def _who() -> list[str]:
    """What lies behind the copied OS pages, a line for each kind of change."""
    import frozen_arena
    from frozen_arena.explaining.printing import sentence_of

    changes = frozen_arena.explain(limit=None).changes[:_NAMED_CHANGES]
    return [
        f"{sentence_of(one)}: {one.words} words, {', '.join(one.examples[:1])}" for one in changes
    ]


def measure(arguments: argparse.Namespace) -> harness.Result:
    """Runs every data set in every mode, and fills the table."""
    scale = arguments.scale or (_QUICK_SCALE if arguments.quick else 1.0)
    result = harness.Result(
        f"Copied pages, scale {scale:g}: a child reads everything",
        [
            "data set",
            "data MiB",
            *(f"{mode} MiB" for mode in harness.modes()),
            "ratio",
            "objects",
            "payload",
        ],
    )
    result.notes.append(
        "MiB: growth of the child's own memory; ratio: frozen to stock;"
        " objects, payload: OS pages of the arena copied, by lane"
    )
    if harness.NO_IMMORTALS[0]:
        result.notes.append(harness.GIVES_BACK)
    floors: dict[tuple[str, ...], int] = {}
    for dataset in DATASETS.values():
        if arguments.only and dataset.name not in arguments.only:
            continue
        answers: dict[str, dict[str, Any]] = {}
        if not dataset.missing:
            if dataset.needs not in floors:
                floors[dataset.needs] = _run(dataset.name, "stock", 0)["own_bytes"]
            answers = {mode: _run(dataset.name, mode, scale) for mode in harness.modes()}
            _enter(result, dataset.name, answers)
        result.bounds += _bounds(dataset, answers, scale)
    for needs, floor in floors.items():
        imported = f"{', '.join(needs)} imported" if needs else "the standard library only"
        result.notes.append(f"no data, {imported}: a child grows by {floor / memory.MIB:.1f} MiB")
    return result


def _run(dataset: str, mode: str, scale: float) -> dict[str, Any]:
    request = {"dataset": dataset, "mode": mode, "scale": scale}
    answer: dict[str, Any] = harness.fresh(MODULE, request, PYTHONHASHSEED="0")
    return answer


def _enter(result: harness.Result, name: str, answers: dict[str, dict[str, Any]]) -> None:
    """Adds row and figures of one data set."""
    own = [answer["own_bytes"] / memory.MIB for answer in answers.values()]
    row: list[Any] = [name, answers["stock"]["data_bytes"] / memory.MIB, *own]
    if "frozen" in answers:
        frozen = answers["frozen"]
        row += [_ratio(answers), frozen["objects_os_pages"], frozen["payload_os_pages"]]
        result.notes += [f"{name}: {line}" for line in frozen["who"]]
    result.rows.append(row)
    result.data.append({"dataset": name, "modes": answers, "ratio": _ratio(answers)})


def _ratio(answers: dict[str, dict[str, Any]]) -> float | None:
    """What a child of the frozen parent grew by, to what one of the stock parent did."""
    if "frozen" not in answers:
        return None
    return float(answers["frozen"]["own_bytes"] / max(1, answers["stock"]["own_bytes"]))


def _bounds(
    dataset: Dataset, answers: dict[str, dict[str, Any]], scale: float
) -> list[harness.Bound]:
    """The bounds on one data set: OS pages of both lanes, and growth."""
    obstacles = (
        harness.no_package(),
        (bool(dataset.missing), f"not installed: {', '.join(dataset.missing)}"),
    )
    frozen = answers.get("frozen", {"objects_os_pages": 0, "payload_os_pages": 0})
    payload = frozen["payload_os_pages"]
    pages = payload + frozen["objects_os_pages"]
    growth = harness.bound(
        f"{dataset.name}: growth x stock",
        _ratio(answers),
        _MAX_GROWTH,
        *obstacles,
        harness.too_small(scale < 1),
    )
    found = [
        harness.bound(f"{dataset.name}: OS pages copied", pages, _MAX_PAGES, *obstacles),
        growth,
    ]
    if harness.NO_IMMORTALS[0]:  # of the payload nothing is given back
        found.append(
            harness.bound(f"{dataset.name}: payload OS pages copied", payload, 0, *obstacles)
        )
    return found


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", type=float, help="size of the data sets (default 1.0)")
    parser.add_argument("--only", nargs="+", choices=sorted(DATASETS), help="these data sets")


if __name__ == "__main__":
    sys.exit(harness.main(harness.Scenario(MODULE, tree, measure, _arguments), __doc__))
