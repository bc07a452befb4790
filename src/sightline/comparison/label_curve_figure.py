"""The figure of label-efficiency curves: means, runs, and the fitted laws with their intervals."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from sightline.comparison.compared_run import explained
from sightline.comparison.label_curves import NAME, LabelCurve, curves_table, fitted_values
from sightline.reports.canvas import WIDTH, new_figure, short, styled, to_chart
from sightline.reports.parts import Section

AHEAD = 2  # times the most labels: how far the law is drawn
MOST_CURVES = 8
MOST_TICKS = 7


@styled
def draw_label_curves(curves: Sequence[LabelCurve]) -> Figure:
    """The metric over the number of training images, on a logarithmic axis.

    Args:
        curves: of one metric; the first eight are drawn.
    """
    drawn = curves[:MOST_CURVES]
    figure = new_figure(3.2, WIDTH * 1.25)
    ax = figure.subplots()
    for number, curve in enumerate(drawn):
        colour = f"C{number}"
        for count, each in zip(curve.counts, curve.estimates, strict=True):
            ax.plot([count] * len(each.values), each.values, "o", color="0.75", markersize=3)
        means = [each.mean for each in curve.estimates]
        halves = [each.half_width or 0 for each in curve.estimates]
        name = short(curve.name, 40) if curve.name else "mean ± 95 %"
        ax.errorbar(curve.counts, means, halves, fmt="o", color=colour, markersize=5, label=name)
        places = np.geomspace(curve.counts[0], AHEAD * curve.counts[-1], 60)
        fitted = fitted_values(curve, places)
        if fitted is not None:
            ax.plot(places, fitted[0], color=colour, linewidth=1.2)
            ax.fill_between(places, fitted[1], fitted[2], color=colour, alpha=0.15, linewidth=0)
    ax.set_xscale("log")
    counts = sorted({count for curve in drawn for count in curve.counts})
    ticks = counts[:: -(-len(counts) // MOST_TICKS)]
    ax.set_xticks(ticks, [f"{count:,}" for count in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("training images")
    ax.set_ylabel(explained(drawn[0].metric))
    if len(curves) == 1:
        ax.set_title(fill(curves[0].sentence, 62), fontsize=8.5, loc="left")
    ax.grid(color="0.93")
    ax.legend(loc="best")
    return figure


def curves_section(curves: Sequence[LabelCurve]) -> Section:
    """The curves of a page: what they say, the figure and the table."""
    words = [curve.sentence.rstrip(".") + "." for curve in curves]
    about = "Lines: error = a·n^-b + c with its 95 % interval, by a bootstrap over the runs."
    chart = to_chart(
        draw_label_curves(curves), NAME, "the metric over training images", shrinks=True
    )
    return Section("How many labels", " ".join([*words, about]), [chart, curves_table(curves)])
