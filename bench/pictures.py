"""Draws the pictures of docs/benchmarks.md from the results that are kept.

``python -m bench.pictures`` writes SVG to docs/pictures/ and PNG to build/pictures/. Lines differ
in dashes and markers as well as in colour and carry their names at their ends, and the ground is
white whatever the page is, so that they can be read in print and on dark pages.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import bounds, harness
from bench.memory_by_workers import AT_REST, NO_DATA

FOLDER = harness.CHECKOUT / "docs" / "pictures"
PNG_FOLDER = harness.CHECKOUT / "build" / "pictures"
VERSION = "3.12"  # of CPython; what the page shows, the same for all its tables and pictures

OURS = "frozen arena"
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
    "Ray": ("#922b21", ":", "X"),
}

Run = Mapping[str, Any]
Lines = Mapping[str, Sequence[tuple[float, float]]]


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


def draw_lines(axes: Any, lines: Lines, title: str, across: str, up: str) -> None:
    """Draws one line a peer and writes its name beside its end."""
    for name, points in lines.items():
        colour, dashes, marker = _STYLES[name]
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            linewidth=2.4 if name == OURS else 1.2,
            zorder=3 if name == OURS else 2,
        )
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel(across, fontsize=9)
    axes.set_ylabel(up, fontsize=9)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    ends = {name: points[-1] for name, points in lines.items()}
    top = axes.get_ylim()[1]
    heights = spread_out({name: height for name, (_, height) in ends.items()}, top * 0.052)
    right = max(place for place, _ in ends.values())
    for name, height in heights.items():
        axes.annotate(
            name,
            xy=ends[name],
            xytext=(right * 1.06, height),
            fontsize=8,
            va="center",
            color=_STYLES[name][0],
            fontweight="bold" if name == OURS else "normal",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#bbbbbb", "linewidth": 0.5},
        )


def spread_out(wanted: Mapping[str, float], least: float) -> dict[str, float]:
    """Heights near the wanted ones that are at least `least` apart, in the same order."""
    placed: dict[str, float] = {}
    below = -least
    for name, height in sorted(wanted.items(), key=lambda item: item[1]):
        below = max(height, below + least)
        placed[name] = below
    return placed


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
            "workers that have read everything",
            "memory of the whole tree, MiB",
        )
    return figure


_KINDS = {"simple": "numbers and short texts", "texts": "long texts"}

PICTURES: dict[str, Callable[[Run], Any]] = {"memory_by_workers": memory_by_workers}
"""What draws each picture, by the scenario whose result it takes."""


def draw(name: str, run: Run) -> None:
    """Writes one picture as SVG and PNG."""
    import matplotlib as mpl

    settings = {"svg.fonttype": "none", "svg.hashsalt": "frozen arena", "font.family": "sans-serif"}
    with mpl.rc_context(settings):
        figure = PICTURES[name](run)
        for folder, ending, more in (
            (FOLDER, "svg", {"metadata": {"Date": None}}),
            (PNG_FOLDER, "png", {"dpi": 120}),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(folder / f"{name}.{ending}", **more)


def main() -> int:
    """Draws every picture whose result is kept."""
    runs = bounds.kept()
    for name in PICTURES:
        run = runs.get((name, VERSION))
        if run is None:
            print(f"{name}: no result of {VERSION} is kept: python -m bench {name}")
            continue
        draw(name, run)
        print(picture_path(name).relative_to(harness.CHECKOUT))
    return 0


def picture_path(name: str) -> Path:
    """Where the picture of a scenario is kept."""
    return FOLDER / f"{name}.svg"


if __name__ == "__main__":
    sys.exit(main())
