"""Figure of slices: a metric and its interval for each value of a metadata column."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sightline.reports.canvas import new_figure, short, styled

SHOWN = 30  # slices, the worst first


@styled
def draw_slices(rows: Sequence[Mapping[str, object]], metric: str, whole: float, title: str
) -> Figure:  # fmt: skip
    """One row for each slice, the lowest value first; a dashed line marks all samples.

    Args:
        rows: with `value`, `samples`, the metric and its `_low` and `_high`.
        metric: key of the rows.
        whole: the metric over all samples.
        title: of the figure.
    """
    known = [row for row in rows if isinstance(row.get(metric), float)]
    ordered = sorted(known, key=lambda row: float(str(row[metric])))[:SHOWN]
    figure = new_figure(0.3 * len(ordered) + 1.2)
    ax = figure.subplots()
    places = np.arange(len(ordered))
    for place, row in zip(places, ordered, strict=True):
        low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
        if isinstance(low, float) and isinstance(high, float):
            ax.hlines(place, low, high, color="C0", alpha=0.6)
        ax.plot(float(str(row[metric])), place, "o", color="C0", markersize=4)
    ax.axvline(whole, color="0.5", linestyle="--", linewidth=1, label="all samples")
    ax.set_yticks(places, [f"{short(str(row['value']))} ({row['samples']})" for row in ordered])
    ax.set(ylim=(len(ordered) - 0.5, -0.5), xlabel=metric, title=title)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    figure.legend(loc="outside lower center")
    return figure
