"""The sections of docs/benchmarks.md: what each scenario's result looks like there (page.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench import bounds, harness, model, pictures
from bench.memory_by_workers import AT_REST, DATA, NO_DATA, READ, SHOWN
from bench.peers import OBJECTS, PACKED, PEERS

Run = Mapping[str, Any]
Runs = Mapping[str, Run]  # by scenario, of one version
Columns = Mapping[str, Callable[[Mapping[str, Any]], str]]

OURS = pictures.OURS
KINDS = {"simple": "numbers and short texts", "texts": "texts of 600 characters"}
BOLD = {OURS, "frozen", "PYTHONFROZENARENA=1"}
_LOOK_UPS = ("whole", "one value")
_NODES = 1000


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A table of the page: the first column to the left, figures to the right."""
    lines = [row(head), row(["---"] + ["--:"] * (len(head) - 1))]
    return lines + [row(cells) for cells in rows]


def row(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def measured_on(run: Run) -> str:
    """The sentence that says what was measured where."""
    machine = run["machine"]
    return (
        f"Measured by `bench/{run['scenario']}.py` with CPython {machine['python']} on"
        f" {bounds.machine_words(machine)}, {machine['date'][:10]}, commit {machine['commit']}."
    )


def kinds(run: Run) -> list[tuple[str, int]]:
    """The kinds of records of a run, kind and values, in the order of `DATA`."""
    there = {(one["kind"], one["values"]) for one in run["figures"] if one["form"]}
    return [data for data in DATA if data in there]


def memory_totals(run: Run, kind: str, values: int) -> dict[str, float]:
    """MiB of the tree with the shown number of workers, by peer and state."""
    totals = {}
    for figures in run["figures"]:
        if figures["peer"] != NO_DATA and (figures["kind"], figures["values"]) != (kind, values):
            continue
        for sample in figures["samples"]:
            if sample["workers"] == SHOWN:
                rest = "" if sample["state"] == READ else f", {AT_REST}"
                totals[figures["peer"] + rest] = sample["pss_mib"]
    return totals


def peer_of(name: str) -> str:
    """The peer of a row that may name a state as well."""
    return name.removesuffix(f", {AT_REST}")


def memory_section(run: Run) -> list[str]:
    """Memory over workers: picture, table, and the two counts beside each other."""
    columns = {data: memory_totals(run, *data) for data in kinds(run)}
    names = list(dict.fromkeys(name for totals in columns.values() for name in totals))
    rows = []
    for form in ("", OBJECTS, PACKED):
        for name in names:
            peer = PEERS.get(peer_of(name))
            if (peer.form if peer else "") != form:
                continue
            shown = f"**{name}**" if name == OURS else name
            cells = (totals.get(name) for totals in columns.values())
            rows.append([shown, form, *(mib_cell(cell) for cell in cells)])
    heads = [f"{values} {KINDS[kind]}" for kind, values in columns]
    difference = next(one for one in run["bounds"] if one["what"].startswith("PSS and cgroup"))
    mib = run["settings"]["mib"] or 200
    lines = [
        "## Memory by number of workers",
        "",
        f"Every parent holds the same records, {mib} MiB of them as ordinary objects. Every worker",
        "reads every value and collects garbage; then the whole tree is added up.",
        "",
        "![Memory of the tree over the number of workers](pictures/memory_by_workers.svg)",
        "",
        f"MiB of the parent and {SHOWN} workers together (PSS), by what a record is:",
        "",
        *table(["", "the data is", *heads], rows),
        "",
        "Page merging, where it is in the table, needs root, and saves while nobody reads; *at",
        "rest* is after the kernel has scanned everything three times more. The next pass over the",
        "data undoes it.",
        "",
    ]
    for failure in run["failures"]:
        lines.append(f"Not in the table, it failed in this run: {failure.partition(':')[0]}.")
    if run["failures"]:
        lines.append("")
    if difference["measured"] is not None:
        lines += [
            "The sum of PSS and what a memory cgroup around the tree is charged differ by"
            f" {difference['measured']:.1%} at most.",
        ]
    return [*lines, measured_on(run), ""]


def mib_cell(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.0f}"


def simple_section(run: Run, title: str, text: str, columns: Columns, label: str) -> list[str]:
    """A section with one table: a row for each figure of the run, named by its `label`."""
    rows = []
    for figures in run["figures"]:
        name = figures[label]
        cells = [write(figures) for write in columns.values()]
        rows.append([f"**{name}**" if name in BOLD else name, *cells])
    lines = [f"## {title}", "", text, "", *table(["", *columns], rows), ""]
    return [*lines, measured_on(run), ""]


def _amount(*path: Any, digits: int = 1) -> Callable[[Mapping[str, Any]], str]:
    """Writes the number that `path` leads to in a figure."""

    def write(figures: Mapping[str, Any]) -> str:
        found: Any = figures
        for key in path:
            found = found[key]
        return "-" if found is None else f"{found:,.{digits}f}"

    return write


def _ending(what: str, per: float) -> Callable[[Mapping[str, Any]], str]:
    """Of workers that end as programs do, the median over rounds, divided by `per`."""

    def write(figures: Mapping[str, Any]) -> str:
        found = [one["as a program"] for one in figures["rounds"]]
        if what == "peak":
            if found[0]["peak"] is None:
                return "-"
            return f"{harness.middle([one['peak'] - one['charged'] for one in found]) / per:,.0f}"
        return f"{harness.middle([one[what] for one in found]) / per:,.0f}"

    return write


def look_ups_section(run: Run) -> list[str]:
    """Nanoseconds a record and a value, by peer and kind of records."""
    names = list(dict.fromkeys(one["peer"] for one in run["figures"]))
    found = {(one["peer"], one["kind"], one["values"]): one["ns"] for one in run["figures"]}
    heads = [f"{values} {KINDS[kind]}, {what}" for kind, values in kinds(run) for what in _LOOK_UPS]
    rows = [
        [f"**{name}**" if name in BOLD else name]
        + [_spread(found.get((name, *data)), what) for data in kinds(run) for what in _LOOK_UPS]
        for name in names
    ]
    text = "Processor nanoseconds in a worker that has read everything: median and quartiles."
    lines = ["## Look-ups", "", text, "", *table(["", *heads], rows), ""]
    return [*lines, measured_on(run), ""]


def _spread(ns: Mapping[str, Any] | None, what: str) -> str:
    if ns is None:
        return "-"
    one = ns[what]
    return f"{one['median']:,.0f} ({one['low']:,.0f}-{one['high']:,.0f})"


def model_section(runs: Runs) -> list[str]:
    """What the model says of a large fleet, and how far off it is."""
    errors = [check.error for check in model.checks(runs)]
    fitted = [runs[name] for name in model.FITTED]
    rows = []
    for gib, workers in ((1, 8), (4, 16), (10, 64)):
        for changes in (0, 10_000):
            cells = [
                f"{model.fit(runs, peer).node(gib * 1024, workers, changes) * _NODES / 2**20:,.1f}"
                for peer in model.PEERS
            ]
            rows.append([f"{gib} GiB, {workers} workers, {changes:,} changes each", *cells])
    return [
        "## A fleet on paper",
        "",
        "![Memory of a node and of a fleet](pictures/model.svg)",
        "",
        f"TiB of {_NODES:,} nodes, as `bench/model.py` says; it is {max(errors):.1%} off at most"
        f" over {len(errors)} measurements that it was not fitted to (`python -m bench.model"
        " --check`). Prices, other sizes and the time of a fork: `python -m bench.model --help`.",
        "",
        *table(["a node", *model.PEERS], rows),
        "",
        *(measured_on(run) for run in fitted),
        "",
    ]


# Sections with one table: title, text, columns, and which word of a figure names its row.
SIMPLE_SECTIONS: dict[str, tuple[str, str, Columns, str]] = {
    "exit_storm": (
        "All workers end at once",
        f"{SHOWN} workers have looked up one record and end as programs do. Stock takes its data"
        " down in every worker, and copies all of it to do so.",
        {
            "OS pages faulted by a worker": _ending("faults", SHOWN),
            "MiB more at the peak": _ending("peak", 2**20),
        },
        "peer",
    ),
    "long_run": (
        "A long run",
        "MiB that one worker holds alone after so many rounds of 500 look-ups, its own garbage"
        " included.",
        {
            f"{rounds} rounds": _amount("own", place, "own_mib")
            for place, rounds in enumerate((1, 3, 10, 30, 100, 300))
        },
        "peer",
    ),
    "changed_records": (
        "Workers that write",
        "MiB that a worker copies when it changes values of random records.",
        {
            f"{count:,} changes": _amount("samples", place, "own_mib")
            for place, count in ((1, 100), (2, 1_000), (4, 10_000), (6, 100_000))
        },
        "peer",
    ),
    "application_heap": (
        "An application without data",
        "MiB of a parent that has imported what a service imports, and of its eight workers.",
        {
            "parent alone": _amount("alone_mib"),
            "whole tree": _amount("together_mib"),
            "a worker's own": _amount("own_mib"),
        },
        "how",
    ),
    "prefork_server": (
        "A prefork server",
        "Queries a second with a worker for each core, and the processor time of the workers.",
        {
            "first turn": _amount("first", "queries_per_second", digits=0),
            "later": _amount("queries_per_second", "median", digits=0),
            "CPU microseconds a query": _amount("cpu_us", "median", digits=0),
            "a worker's own MiB": _amount("own_mib"),
        },
        "peer",
    ),
    "restarts": (
        "Workers replaced one after another",
        "Medians over whole lives: fork, first look-up, everything, a collection, the end.",
        {
            "fork ms": _amount("lives", "fork ms", "median"),
            "first answer ms": _amount("lives", "first answer ms", "median"),
            "CPU ms": _amount("lives", "cpu ms", "median", digits=0),
            "OS pages faulted": _amount("lives", "faults", "median", digits=0),
        },
        "peer",
    ),
}
