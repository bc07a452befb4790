"""Confusion matrices: as figures, and as plain numbers."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sightline.label_modes.base import ConfusionMatrix

MAX_NAMED = 40  # with more classes, names and numbers would be specks


def draw_confusion(matrices: list[ConfusionMatrix], title: str, normalize: bool) -> Figure:
    """One panel a matrix, counts or (`normalize`) shares of each row, darker is more.

    Args:
        matrices: at least one.
        title: of the whole figure.
        normalize: divide each row by its sum; of a table that does not sum to N, nothing is.
    """
    large = len(matrices) == 1
    columns = 1 if large else min(4, len(matrices))
    rows = math.ceil(len(matrices) / columns)
    side = _side(len(matrices[0].columns)) if large else 2.3
    figure = Figure(figsize=(columns * side + 0.6, rows * side + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for ax, matrix in zip(axes, matrices, strict=False):
        _panel(ax, matrix, normalize and matrix.sums_to_n, "" if large else matrix.title)
    for ax in axes[len(matrices) :]:
        ax.set_axis_off()
    return figure


def confusion_record(matrices: list[ConfusionMatrix]) -> list[dict[str, Any]]:
    """The raw tables in plain containers: rows are targets, columns are decisions."""
    return [
        {
            "title": matrix.title,
            "rows": list(matrix.rows),
            "columns": list(matrix.columns),
            "counts": matrix.counts.tolist(),
            "total": int(matrix.counts.sum()),
            "sums_to_n": matrix.sums_to_n,
        }
        for matrix in matrices
    ]


def _side(classes: int) -> float:
    return float(np.clip(0.42 * classes + 2.0, 3.2, 14.0))


def _panel(ax: Axes, matrix: ConfusionMatrix, normalize: bool, title: str) -> None:
    counts = matrix.counts
    row_sums = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shares = counts / row_sums
    shown = shares if matrix.sums_to_n else counts / max(1, counts.max())
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1)
    ax.set_title(title, fontsize=9)
    ax.set_xlabel("decided" if matrix.sums_to_n else "wrongly predicted", fontsize=8)
    ax.set_ylabel("target" if matrix.sums_to_n else "missed", fontsize=8)
    if max(counts.shape) > MAX_NAMED:
        return
    slanted = max(len(name) for name in matrix.columns) > 4
    ax.set_xticks(range(len(matrix.columns)), [_short(n) for n in matrix.columns], fontsize=7)
    ax.set_yticks(range(len(matrix.rows)), [_short(n) for n in matrix.rows], fontsize=7)
    if slanted:
        ax.tick_params(axis="x", rotation=45)
    values = shares if normalize else counts
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column] == 0 and max(counts.shape) > 2:
            continue  # an empty cell reads more easily than a nought
        text = f"{values[row, column]:.2f}" if normalize else f"{counts[row, column]}"
        colour = "white" if shown[row, column] > 0.6 else "black"
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"
