"""Figures of a sweep: parallel coordinates of its jobs, and main effects of its keys."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sightline.reports.canvas import plain_figure
from sightline.reports.figures.axis_values import Scale, shorten, value_order

Row = Mapping[str, Any]
MAX_GROUPS = 10  # in one figure of curves
MANY = 8  # distinct numbers beyond which the axis is continuous instead of categorical


def draw_parallel(
    rows: Sequence[Row], keys: Sequence[str], metrics: Sequence[str], maximise: bool
) -> Figure:
    """Parallel coordinates: a line for each job through swept values and metrics, the best on top.

    Args:
        rows: finished jobs: swept values as text ("" where a job has none), and the metrics.
        keys: the swept keys.
        metrics: keys of the metrics; the first gives the colour.
        maximise: whether a larger value of the first metric is better.
    """
    names = [*keys, *metrics]
    figure = plain_figure(max(6.0, 1.9 * len(names)), 4.4)
    ax = figure.subplots()
    values = np.array([float(row[metrics[0]]) for row in rows])
    spread = values.max() > values.min()
    colours = ScalarMappable(
        Normalize(values.min(), values.max() if spread else values.min() + 1),
        "viridis" if maximise else "viridis_r",
    )
    scales = [Scale([str(row[name]) for row in rows]) for name in names]
    for index in np.argsort(values if maximise else -values):
        heights = [scale.place(str(rows[index][n])) for scale, n in zip(scales, names, strict=True)]
        ax.plot(range(len(names)), heights, color=colours.to_rgba(values[index]), alpha=0.85)
    for position, scale in enumerate(scales):
        ax.axvline(position, color="0.75", linewidth=0.8, zorder=0)
        for height, label in scale.labels():
            ax.annotate(
                label, (position, height), (4, 0), textcoords="offset points", fontsize=8,
                va="center", bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none",
                                   "alpha": 0.75},
            )  # fmt: skip
    ax.set_xticks(range(len(names)), [_short(name) for name in names], fontsize=9)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.25, len(names) - 0.55)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if spread:
        figure.colorbar(colours, ax=ax, label=metrics[0], pad=0.01)
    return figure


def draw_main_effects(rows: Sequence[Row], keys: Sequence[str], metric: str) -> Figure:
    """A panel for each swept key: the metric of every job at its value, and means of equal values.

    Args:
        rows: finished jobs.
        keys: the swept keys.
        metric: the metric's key.
    """
    columns = min(len(keys), 4)
    lines = math.ceil(len(keys) / columns)
    figure = plain_figure(max(4.5, 3 * columns), 3.2 * lines)
    axes = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for index, ax in enumerate(axes.flat):
        if index >= len(keys):
            ax.set_visible(False)
            continue
        present = [row for row in rows if row[keys[index]] != ""]
        _draw_effect(ax, [str(row[keys[index]]) for row in present],
                     [float(row[metric]) for row in present])  # fmt: skip
        ax.set_xlabel(_short(keys[index]), fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel(metric)
    figure.suptitle("each job, and the mean of jobs with the same value", fontsize=10)
    return figure


def _draw_effect(ax: Axes, texts: Sequence[str], values: Sequence[float]) -> None:
    scale = Scale(texts)
    distinct = len(set(texts))
    if scale.numeric and (distinct > MANY or (distinct == len(texts) and distinct > 2)):
        ax.plot([float(text) for text in texts], values, "o", color="C0", markersize=4, alpha=0.8)
        if scale.logarithmic:
            ax.set_xscale("log")
        else:
            ax.xaxis.set_major_locator(MaxNLocator(4))
        return
    order = sorted(set(texts), key=value_order)
    for place, text in enumerate(order):
        found = [value for value, other in zip(values, texts, strict=True) if other == text]
        ax.plot([place] * len(found), found, "o", color="0.6", markersize=4)
        if len(values) > len(order):
            ax.plot([place - 0.25, place + 0.25], [np.mean(found)] * 2, color="C0", linewidth=2)
    ax.set_xlim(-0.6, len(order) - 0.4)
    labels = [shorten(text) for text in order]
    long = sum(len(label) for label in labels) > 28
    ax.set_xticks(range(len(order)), labels, rotation=45 if long else 0, fontsize=8,
                  ha="right" if long else "center")  # fmt: skip


def _short(name: str) -> str:
    """A long key on two lines, so that neighbouring labels do not overlap."""
    head, _, last = name.rpartition(".")
    return f"{head}.\n{last}" if head and len(name) > 14 else name
