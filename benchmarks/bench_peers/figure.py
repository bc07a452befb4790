"""The figure of a benchmark: images per second, and the time of the whole command."""

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.bench_peers.summary import Summary

OWN, OTHER, LIMIT = "#1f77b4", "#9a9a9a", "#d5d5d5"


def draw(rows: Sequence[Summary], file: Path) -> None:
    """Write the figure as PNG: the rows in their order, the spread of rounds as lines.

    Args:
        rows: of the table.
        file: that is written.
    """
    figure = Figure(figsize=(10, 0.45 * len(rows) + 1.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows))
    speeds = [row.speed for row in rows]
    errors = [[s.median - s.least for s in speeds], [s.greatest - s.median for s in speeds]]
    colours = [_colour(row.title) for row in rows]
    left.barh(places, [s.median for s in speeds], xerr=errors, color=colours, ecolor="#333333")
    left.set_yticks(places, [re.sub("[*`]", "", row.title) for row in rows])
    left.invert_yaxis()
    left.set_xlabel("images/s, epoch 2 on")
    lengths = sorted({length for row in rows for length in row.seconds}, reverse=True)
    for length, alpha in zip(lengths, (0.45, 0.7, 1.0), strict=False):
        known = [place for place in places if length in rows[place].seconds]
        right.barh(
            known, [rows[place].seconds[length].median for place in known],
            color=[colours[place] for place in known], alpha=alpha,
        )  # fmt: skip
    words = ", ".join(str(length) for length in sorted(lengths))
    right.set_xlabel(f"whole command, s; {words} epochs from dark to light")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def _colour(title: str) -> str:
    if title.startswith("Limit"):
        return LIMIT
    return OWN if "Sightline" in title else OTHER
