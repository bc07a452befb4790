"""Figures of a search: history of its trials, importance of keys, trade-off of two objectives."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sightline.reports.canvas import plain_figure
from sightline.reports.figures.sweep_progress import draw_best

History = Sequence[tuple[int, Sequence[float]]]  # a trial's number and its objectives


def draw_history(
    history: History,
    objectives: Sequence[tuple[str, bool]],
    without_value: Mapping[str, Sequence[int]],
) -> Figure:
    """Each objective over the trials' numbers, and the best value so far.

    Args:
        history: the complete trials.
        objectives: name of each, and whether it is maximised.
        without_value: numbers of the trials without a value, by their final state.
    """
    figure = plain_figure(7, 0.6 + 2.8 * len(objectives))
    axes = figure.subplots(len(objectives), 1, sharex=True, squeeze=False)[:, 0]
    ordered = sorted(history)
    for index, (ax, (name, maximise)) in enumerate(zip(axes, objectives, strict=True)):
        numbers = [number for number, _ in ordered]
        draw_best(ax, numbers, [values[index] for _, values in ordered], maximise, "a trial")
        for marker, (kind, gone) in zip("|x", without_value.items(), strict=False):
            if gone:
                ax.plot(gone, [0.02] * len(gone), marker, color="C3", label=kind, markersize=6,
                        transform=ax.get_xaxis_transform())  # fmt: skip
        ax.set_ylabel(name)
    axes[-1].set_xlabel("trial")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def draw_importances(importances: Mapping[str, Mapping[str, float]]) -> Figure:
    """Bars: the share of each objective's variance that each key explains (fANOVA).

    Args:
        importances: shares in [0, 1] by objective and then by key.
    """
    most = max(len(shares) for shares in importances.values())
    width = 1.5 + 4.5 * len(importances)
    figure = plain_figure(width, 1.2 + 0.4 * most)
    axes = figure.subplots(1, len(importances), squeeze=False)[0]
    for ax, (name, shares) in zip(axes, importances.items(), strict=True):
        ordered = sorted(shares.items(), key=lambda item: item[1])
        bars = ax.barh([key for key, _ in ordered], [share for _, share in ordered], color="C0")
        ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        ax.set_xlim(0, 1.1)
        ax.set_xlabel(f"importance for {name} (fANOVA)")
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def draw_tradeoff(history: History, names: Sequence[str], best: set[int]) -> Figure:
    """Scatter plot of the first two objectives, with the Pareto front marked.

    Args:
        history: the complete trials.
        names: of the objectives.
        best: numbers of the trials on the Pareto front.
    """
    figure = plain_figure(5.5, 4)
    ax = figure.subplots()
    for chosen, colour, label in (
        (False, "0.6", "a trial"),
        (True, "C0", "no other is better in all"),
    ):
        points = [values for number, values in history if (number in best) == chosen]
        if points:
            ax.plot([p[0] for p in points], [p[1] for p in points], "o", color=colour, label=label)
    for number, values in history:
        if number in best:
            ax.annotate(str(number), (values[0], values[1]), (4, 4), fontsize=8,
                        textcoords="offset points")  # fmt: skip
    for set_scale, index in ((ax.set_xscale, 0), (ax.set_yscale, 1)):
        found = [values[index] for _, values in history]
        if min(found) > 0 and math.log10(max(found) / min(found)) > 2:
            set_scale("log")
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return figure
