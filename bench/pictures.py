"""Draws the pictures of docs/benchmarks.md from the results that are kept.

``python -m bench.pictures`` writes SVG to docs/pictures/ and PNG to build/pictures/. Lines differ
in dashes and markers as well as in colour and carry their names at their ends, and the ground is
white whatever the page is, so that they can be read in print and on dark pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from bench import bounds, harness, model
from bench.memory_by_workers import AT_REST, NO_DATA

FOLDER = harness.CHECKOUT / "docs" / "pictures"
PNG_FOLDER = harness.CHECKOUT / "build" / "pictures"
VERSION = "3.12"  # of CPython; what the page shows, the same for all its tables and pictures

OURS = "frozen arena"
_WORKERS = (1, 2, 4, 8, 16)
_AMOUNTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LABEL_HEIGHT = 0.052  # x the height of the axes
_LONG_NUMBER = re.compile(r"(\d+\.\d)\d+")  # half of an SVG, and a tenth of a point is enough
_STYLES: dict[str, tuple[str, str, str]] = {  # colour, dashes, marker
    OURS: ("#000000", "-", "o"),
    NO_DATA: ("#888888", ":", ""),
    "stock": ("#c0392b", "-", "s"),
    "gc.freeze": ("#b9770e", "--", "^"),
    "optout": ("#1e8449", "-", "D"),
    "CinderX": ("#7d3c98", "-.", "v"),
    "page merging": ("#5d6d7e", ":", "P"),
    "page merging, at rest": ("#5d6d7e", ":", "x"),
    "NumPy + pickle": ("#1f618d", "--", "<"),
    "LMDB": ("#148f77", "-.", ">"),
    "shared_memory": ("#2e86c1", ":", "*"),
    "SQLite": ("#884ea0", "--", "h"),
    "Arrow": ("#af601a", "-.", "p"),
    "frozen arena, 10,000 changes": ("#000000", ":", "d"),
    "Ray": ("#922b21", ":", "X"),
}

Run = Mapping[str, Any]
Lines = Mapping[str, Sequence[tuple[float, float]]]
Scale = tuple[str, Sequence[int]]  # what is along it, and where it has ticks


def _style(name: str) -> tuple[str, str, str]:
    """The style of a peer, also where its name goes on after a comma."""
    return _STYLES[name] if name in _STYLES else _STYLES[name.partition(",")[0]]


def memory_lines(run: Run, kind: str, values: int) -> dict[str, list[tuple[float, float]]]:
    """MiB of the tree over workers, by peer, of one kind of records."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for figures in run["figures"]:
        if figures["peer"] != NO_DATA and (figures["kind"], figures["values"]) != (kind, values):
            continue
        for sample in figures["samples"]:
            rest = f", {AT_REST}" if sample["state"] == AT_REST else ""
            line = lines.setdefault(figures["peer"] + rest, [])
            line.append((sample["workers"], sample["pss_mib"]))
    return lines


def draw_lines(axes: Any, lines: Lines, title: str, across: Scale, up: Scale) -> None:
    """Draws one line a name and writes it beside the end; both scales are logarithmic."""
    for name, points in lines.items():
        colour, dashes, marker = _style(name)
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            linewidth=2.4 if name.startswith(OURS) else 1.2,
            zorder=3 if name.startswith(OURS) else 2,
        )
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(across[0], fontsize=9)
    axes.set_ylabel(up[0], fontsize=9)
    for set_scale, set_ticks, (_, ticks) in (
        (axes.set_xscale, axes.set_xticks, across),
        (axes.set_yscale, axes.set_yticks, up),
    ):
        set_scale("log")
        set_ticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    _dress(axes)
    _name_lines(axes, {name: points[-1] for name, points in lines.items()})


def _dress(axes: Any) -> None:
    """What all pictures have in common."""
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _name_lines(axes: Any, ends: Mapping[str, tuple[float, float]]) -> None:
    """Writes the name of each line beside its end, the names apart from each other."""
    to_axes = axes.transData + axes.transAxes.inverted()
    places = {name: tuple(to_axes.transform(end)) for name, end in ends.items()}
    heights = spread_out({name: height for name, (_, height) in places.items()}, _LABEL_HEIGHT)
    right = max(place for place, _ in places.values())
    for name, height in heights.items():
        axes.annotate(
            name,
            xy=places[name],
            xycoords="axes fraction",
            xytext=(right + 0.05, height),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            color=_style(name)[0],
            fontweight="bold" if name.startswith(OURS) else "normal",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": "#bbbbbb",
                "linewidth": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 0,
            },
        )


def spread_out(wanted: Mapping[str, float], least: float) -> dict[str, float]:
    """Heights as near the wanted ones as they can be when all are at least `least` apart."""
    names = sorted(wanted, key=lambda name: wanted[name])
    # Less the room that those below take, heights must only not fall: neighbours that do are
    # joined, and stand around their mean.
    groups: list[list[float]] = []
    for place, name in enumerate(names):
        groups.append([wanted[name] - place * least])
        while len(groups) > 1 and mean(groups[-2]) > mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    heights = (mean(group) for group in groups for _ in group)
    return {
        name: height + place * least
        for place, (name, height) in enumerate(zip(names, heights, strict=True))
    }


def memory_by_workers(run: Run) -> Any:
    """Memory over the number of workers, one panel for each kind of records that is shown."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained", facecolor="white")
    panels = figure.subplots(1, 2)
    mib = run["settings"]["mib"] or 200
    for axes, (kind, values) in zip(panels, (("simple", 50), ("texts", 5)), strict=True):
        draw_lines(
            axes,
            memory_lines(run, kind, values),
            f"{mib} MiB of records of {values} {_KINDS[kind]}",
            ("workers that have read everything", _WORKERS),
            ("memory of the whole tree, MiB", _AMOUNTS),
        )
    return figure


_KINDS = {"simple": "numbers and short texts", "texts": "long texts"}


def model_picture(runs: Runs) -> Any:
    """What the model says of a node over its workers, and of a fleet over its nodes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained", facecolor="white")
    node, fleet = figure.subplots(1, 2)
    fits = {peer: model.fit(runs, peer) for peer in model.PEERS}
    workers = (1, 2, 4, 8, 16, 32, 64)
    lines = {
        peer: [(count, fit.node(_MODEL_GIB * 1024, count) / 1024) for count in workers]
        for peer, fit in fits.items()
    }
    lines[f"{OURS}, 10,000 changes"] = [
        (count, fits[OURS].node(_MODEL_GIB * 1024, count, 10_000) / 1024) for count in workers
    ]
    draw_lines(
        node,
        lines,
        f"a node with {_MODEL_GIB} GiB of data",
        ("workers that have read everything", workers),
        ("memory of the node, GiB", (8, 16, 32, 64, 128, 256, 512, 1024)),
    )
    nodes = (1, 10, 100, 1000)
    lines = {
        f"{peer}, {count} workers": [
            (many, many * fits[peer].node(_MODEL_GIB * 1024, count) / 1024) for many in nodes
        ]
        for peer in ("stock", OURS)
        for count in (16, 64)
    }
    draw_lines(
        fleet,
        lines,
        "a fleet of such nodes",
        ("nodes", nodes),
        ("memory of the fleet, GiB", (10, 100, 1_000, 10_000, 100_000, 1_000_000)),
    )
    return figure


_MODEL_GIB = 10
Runs = Mapping[str, Run]
PICTURES: dict[str, tuple[tuple[str, ...], Callable[[Runs], Any]]] = {
    "memory_by_workers": (
        ("memory_by_workers",),
        lambda runs: memory_by_workers(runs["memory_by_workers"]),
    ),
    "model": (model.FITTED, model_picture),
}
"""The results that each picture needs, and what draws it."""


def draw(name: str, runs: Runs) -> None:
    """Writes one picture as SVG and PNG."""
    import matplotlib as mpl

    settings = {"svg.fonttype": "none", "svg.hashsalt": "frozen arena", "font.family": "sans-serif"}
    with mpl.rc_context(settings):
        figure = PICTURES[name][1](runs)
        for folder, ending, more in (
            (FOLDER, "svg", {"metadata": {"Date": None}}),
            (PNG_FOLDER, "png", {"dpi": 120}),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(folder / f"{name}.{ending}", **more)
    path = picture_path(name)
    path.write_text(_LONG_NUMBER.sub(r"\1", path.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> int:
    """Draws every picture whose result is kept."""
    runs = {scenario: run for (scenario, of), run in bounds.kept().items() if of == VERSION}
    for name, (needs, _) in PICTURES.items():
        missing = [need for need in needs if need not in runs]
        if missing:
            print(f"{name}: no result of {VERSION} is kept: python -m bench {' '.join(missing)}")
            continue
        draw(name, runs)
        print(picture_path(name).relative_to(harness.CHECKOUT))
    return 0


def picture_path(name: str) -> Path:
    """Where the picture of a scenario is kept."""
    return FOLDER / f"{name}.svg"


if __name__ == "__main__":
    sys.exit(main())
