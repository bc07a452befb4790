"""Figure of robustness: a metric over the severities of each corruption."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sightline.reports.canvas import new_figure, styled

COLOURS = 10  # of matplotlib's cycle; the lines after them are dashed


@styled
def draw_robustness(curves: Mapping[str, Sequence[float]], metric: str, title: str) -> Figure:
    """One line for each corruption over severities, 0 being the clean images; the mean is bold.

    Args:
        curves: by corruption (and `mean`), the metric at severities 0, 1, ...
        metric: name, for the axis.
        title: of the figure.
    """
    figure = new_figure(max(4.2, 0.2 * len(curves) + 1))
    ax = figure.subplots()
    styles = {name: _style(name, index) for index, name in enumerate(curves)}
    for name, values in curves.items():
        ax.plot(range(len(values)), values, marker="o", markersize=3, **styles[name])
    # Names stand in the order of the lines' ends, so that a line is found without its colour.
    names = sorted(curves, key=lambda name: curves[name][-1])
    for name, height in zip(names, np.linspace(0, 1, len(names)), strict=True):
        colour = styles[name]["color"]
        end = (len(curves[name]) - 1, curves[name][-1])
        ax.annotate(name, end, (1.13, height), "data", "axes fraction", color=colour, fontsize=7.5,
                    va="center", fontweight="bold" if name == "mean" else "normal",
                    arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5,
                                "shrinkA": 1, "shrinkB": 2})  # fmt: skip
    ax.set(xlabel="severity", ylabel=metric, title=title)
    ax.set_xticks(range(max(len(values) for values in curves.values())))
    ax.grid(color="0.9", linewidth=0.6)
    return figure


def _style(name: str, index: int) -> dict[str, Any]:
    if name == "mean":
        return {"color": "black", "linewidth": 2.5, "zorder": 3}
    dashed = "--" if index >= COLOURS else "-"
    return {"color": f"C{index % COLOURS}", "linewidth": 1.2, "linestyle": dashed}
