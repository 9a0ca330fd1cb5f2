"""The same as a picture, PNG or SVG. matplotlib is imported here and nowhere else."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any, Final

from frozen_arena import words
from frozen_arena.measuring.runner import MeasureResult
from frozen_arena.trees.runner import HEADINGS

__all__ = ["SUFFIXES", "PictureError", "draw", "load_matplotlib"]

SUFFIXES: Final = (".png", ".svg")
_PARENT: Final = "#8c96a5"
_WORKERS: Final = "#4878a8"


class PictureError(RuntimeError):
    """matplotlib is not there, or the file cannot be written."""


def load_matplotlib() -> Any:
    """matplotlib, without a display.

    Raises:
        PictureError: it is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PictureError(
            "--plot needs matplotlib: pip install 'frozen-arena[plot]', or leave --plot out"
        ) from error
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    return Figure


def draw(result: MeasureResult, path: Path) -> None:
    """Draws the memory of the tree and that of a worker, and writes the file.

    Raises:
        PictureError: matplotlib is not installed, or the file cannot be written.
    """
    ways = [way for way in result.ways.values() if way.unsupported is None]
    names = [HEADINGS[way.way] for way in ways]
    figure = load_matplotlib()(figsize=(9, 3.4), layout="constrained")
    tree, worker = figure.subplots(1, 2, width_ratios=(3, 2))
    parents = [(way.parent_pss + way.arena_unmapped) / 1e6 for way in ways]
    forked = [way.tree_pss / 1e6 - parent for way, parent in zip(ways, parents, strict=True)]
    tree.barh(names, parents, color=_PARENT, label="parent")
    bars = tree.barh(names, forked, left=parents, color=_WORKERS, label="workers")
    tree.bar_label(bars, [words.memory(way.tree_pss) for way in ways], padding=4)
    tree.set_title(f"parent and {words.workers(result.workers)}, PSS in MB", fontsize=10)
    tree.legend(loc="lower right", frameon=False, fontsize=9)
    private = [statistics.fmean(way.worker_private) / 1e6 for way in ways]
    bars = worker.barh(names, private, color=_WORKERS)
    worker.bar_label(bars, [words.memory(size * 1e6) for size in private], padding=4)
    worker.set_title("private memory of a worker, USS in MB", fontsize=10)
    worker.tick_params(labelleft=False)
    for axes in (tree, worker):
        axes.invert_yaxis()
        axes.margins(x=0.22)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{result.data}, {result.python}", fontsize=11)
    figure.supxlabel(result.advice.text, fontsize=9, wrap=True)
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise PictureError(f"cannot write {path}: {error.strerror}") from error
