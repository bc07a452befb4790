"""Figures of a sweep's progress: the best value over time, and mean curves over epochs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sightline.reports.canvas import plain_figure, short

Row = Mapping[str, Any]
MAX_GROUPS = 10  # in one figure of curves
MAX_NAME = 40  # letters of a group in its legend


def draw_best_so_far(rows: Sequence[Row], metric: str, maximise: bool) -> Figure:
    """The metric of every job over the time at which it ended, and the best value so far.

    Args:
        rows: finished jobs, with `ended`, a time in ISO format.
        metric: the metric's key.
        maximise: whether a larger value is better.
    """
    figure = plain_figure(6, 3.4)
    ax = figure.subplots()
    ordered = sorted(rows, key=lambda row: str(row["ended"]))
    moments = [datetime.fromisoformat(row["ended"]).timestamp() for row in ordered]
    minutes = [(moment - moments[0]) / 60 for moment in moments]
    draw_best(ax, minutes, [float(row[metric]) for row in ordered], maximise, "a job")
    ax.set_xlabel("minutes since the first job ended")
    ax.set_ylabel(metric)
    ax.legend(frameon=False, fontsize=8)
    return figure


def draw_best(
    ax: Axes, places: Sequence[float], values: Sequence[float], maximise: bool, label: str
) -> None:
    """Draw values and the best value so far on existing axes."""
    best = (np.maximum if maximise else np.minimum).accumulate(np.array(values))
    ax.plot(places, values, "o", color="0.6", markersize=4, label=label)
    ax.step(places, best, where="post", color="C0", linewidth=2, label="best so far")
    ax.spines[["top", "right"]].set_visible(False)


def draw_mean_curves(
    groups: Mapping[str, Sequence[Sequence[float]]], metric: str, maximise: bool
) -> Figure:
    """Mean and range over the runs of each group in each epoch.

    Of more than 10 groups those with the best mean of their runs' best values are drawn.

    Args:
        groups: by the group's name, each run's values by epoch; an epoch's mean is over the runs
            that reached it.
        metric: the metric's key.
        maximise: whether a larger value is better.
    """
    figure = plain_figure(8.5, 4)
    ax = figure.subplots()
    best = max if maximise else min
    ranked = sorted(
        groups, key=lambda name: np.mean([best(run) for run in groups[name]]), reverse=maximise
    )[:MAX_GROUPS]
    for index, name in enumerate(ranked):
        runs = groups[name]
        longest = max(len(run) for run in runs)
        table = np.full((len(runs), longest), np.nan)
        for row, run in zip(table, runs, strict=True):
            row[: len(run)] = run
        epochs, colour = np.arange(1, longest + 1), f"C{index % 10}"
        label = f"{short(name, MAX_NAME)} ({len(runs)})"
        ax.plot(epochs, np.nanmean(table, axis=0), color=colour, label=label,
                marker="o" if longest == 1 else None)  # fmt: skip
        ax.fill_between(epochs, np.nanmin(table, axis=0), np.nanmax(table, axis=0), color=colour,
                        alpha=0.15, linewidth=0)  # fmt: skip
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, title_fontsize=8, title=_mean_and_range(len(groups)),
              loc="upper left", bbox_to_anchor=(1, 1))  # fmt: skip
    return figure


def _mean_and_range(count: int) -> str:
    shown = f", the {MAX_GROUPS} best of {count}" if count > MAX_GROUPS else ""
    return f"mean (runs) and range{shown}"
