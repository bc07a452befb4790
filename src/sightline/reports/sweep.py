"""Figures of a sweep: every job across its swept values, the effect of each, the best so far."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

Row = Mapping[str, Any]
LOG_FROM = 50  # a positive axis that spans more than this factor is drawn in logarithms


def draw_parallel(rows: Sequence[Row], keys: Sequence[str], metric: str) -> Figure:
    """One line a job through all of its swept values to the metric, coloured by the metric.

    Args:
        rows: finished jobs: swept values as text, and the metric.
        keys: the swept keys.
        metric: the metric's key.
    """
    figure = Figure(figsize=(2.2 + 1.8 * len(keys), 4), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    values = np.array([float(row[metric]) for row in rows])
    norm = Normalize(values.min(), values.max() if values.max() > values.min() else None)
    colours = ScalarMappable(norm, "viridis")
    columns = [_places([str(row[key]) for row in rows]) for key in keys]
    columns.append(([_share(v, values.min(), values.max()) for v in values], []))
    for index, value in enumerate(values):
        heights = [places[index] for places, _ in columns]
        ax.plot(range(len(columns)), heights, color=colours.to_rgba(value), alpha=0.8)
    for position, (_, labels) in enumerate(columns):
        ax.axvline(position, color="0.7", linewidth=0.8)
        for height, label in labels:
            ax.annotate(label, (position, height), (4, 0), textcoords="offset points", fontsize=7,
                        va="center")  # fmt: skip
    ax.set_xticks(range(len(columns)), [*keys, metric], fontsize=8)
    ax.set_xlim(-0.2, len(columns) - 0.8)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    figure.colorbar(colours, ax=ax, label=metric)
    return figure


def draw_main_effects(rows: Sequence[Row], keys: Sequence[str], metric: str) -> Figure:
    """For each swept key, the metric of every job at its value, and the mean at each value."""
    count = len(keys)
    figure = Figure(figsize=(max(4, 3 * count), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for ax, key in zip(axes, keys, strict=True):
        texts = [str(row[key]) for row in rows]
        order = sorted(set(texts), key=_sort_key)
        for place, text in enumerate(order):
            values = [float(row[metric]) for row, t in zip(rows, texts, strict=True) if t == text]
            ax.plot([place] * len(values), values, "o", color="0.6", markersize=4)
            ax.plot([place - 0.25, place + 0.25], [np.mean(values)] * 2, color="C0", linewidth=2)
        ax.set_xticks(range(len(order)), order, rotation=45 if len(order) > 4 else 0, fontsize=8)
        ax.set_xlabel(key, fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(metric)
    figure.suptitle("each job, and the mean at each value", fontsize=10)
    return figure


def draw_best_so_far(rows: Sequence[Row], metric: str, maximise: bool) -> Figure:
    """The metric of every job as it ended, and the best until then.

    Args:
        rows: finished jobs, with `ended_s`, seconds since 1970.
        metric: the metric's key.
        maximise: whether more is better.
    """
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    ordered = sorted(rows, key=lambda row: float(row["ended_s"]))
    minutes = [(float(row["ended_s"]) - float(ordered[0]["ended_s"])) / 60 for row in ordered]
    values = np.array([float(row[metric]) for row in ordered])
    best = (np.maximum if maximise else np.minimum).accumulate(values)
    ax.plot(minutes, values, "o", color="0.6", markersize=4, label="a job")
    ax.step(minutes, best, where="post", color="C0", linewidth=2, label="best so far")
    ax.set_xlabel("minutes since the first job ended")
    ax.set_ylabel(metric)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8)
    return figure


def _places(texts: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights from 0 to 1 on an axis of numbers or of words, and the labels beside it."""
    numbers = _numbers(texts)
    order = sorted(set(texts), key=_sort_key)
    if numbers is None:
        heights = {text: _share(i, 0, len(order) - 1) for i, text in enumerate(order)}
    else:
        low, high = min(numbers), max(numbers)
        scale = math.log if low > 0 and high / low > LOG_FROM else float
        heights = {t: _share(scale(float(t)), scale(low), scale(high)) for t in order}
    shown = order if len(order) <= 8 else [order[0], order[-1]]
    return [heights[text] for text in texts], [(heights[text], text) for text in shown]


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high == low else (value - low) / (high - low)


def _numbers(texts: Sequence[str]) -> list[float] | None:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _sort_key(text: str) -> tuple[int, float, str]:
    numbers = _numbers([text])
    return (1, 0.0, text) if numbers is None else (0, numbers[0], text)
