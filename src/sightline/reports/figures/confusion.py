"""Figures of confusion matrices: one large matrix, or a panel for each of several labels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sightline.label_modes.base import ConfusionMatrix
from sightline.reports.canvas import WIDTH, new_figure, short, styled
from sightline.reports.confusion_clusters import confusion_order

By = Literal["count", "row", "column"]
TITLES: dict[By, str] = {
    "count": "counts",
    "row": "percent of each row",
    "column": "percent of each column",
}
MAX_NAMED = 40  # with more classes, names and numbers would be specks
MAX_PANELS = 12
LARGE = 6.5  # inches


@styled
def draw_confusion(matrices: Sequence[ConfusionMatrix], title: str, by: By) -> Figure:
    """One matrix, or a panel for each label; the darker a cell, the larger its share.

    Args:
        matrices: one matrix; or one for each label, followed by the matrix of labels confused with
            each other, which is not drawn.
        title: of the figure.
        by: what a cell is a share of; a matrix that does not sum to N always shows counts.
    """
    *panels, last = matrices
    if not panels:
        side = _side(len(last.columns))
        figure = new_figure(side + 0.25, side)
        _table(figure.subplots(), last, by, title)
        return figure
    order = np.argsort([-_errors(panel) for panel in panels], kind="stable")
    shown = [panels[i] for i in sorted(order[:MAX_PANELS])]
    if len(shown) < len(panels):
        title += f"\nthe {MAX_PANELS} labels of {len(panels)} with the most errors"
    rows = math.ceil(len(shown) / 3)
    figure = new_figure(1.55 * rows + 0.5)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(rows, 3, squeeze=False).flatten()
    for ax, panel in zip(axes, shown, strict=False):
        small = replace(panel, rows=("no", "yes"), columns=("no", "yes"))
        _panel(ax, small, by, short(panel.title, 20), with_axes=False)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    return figure


def _table(ax: Axes, matrix: ConfusionMatrix, by: By, title: str) -> None:
    """Draw a matrix in the order of its classes; one of more than 40, in the order of clusters."""
    if len(matrix.columns) <= MAX_NAMED:
        _panel(ax, matrix, by, title)
        return
    order, groups = confusion_order(matrix.counts)
    _panel(ax, matrix, by, f"{title}\nconfused classes stand together", order=order)
    for start, size in groups:
        square = Rectangle((start - 0.5, start - 0.5), size, size, fill=False, edgecolor="C3")
        ax.add_patch(square)


def _errors(matrix: ConfusionMatrix) -> int:
    return int(matrix.counts.sum() - np.trace(matrix.counts))


def _side(classes: int) -> float:
    """Side of the figure in inches, with room for names and numbers up to `MAX_NAMED` classes."""
    return LARGE if classes > MAX_NAMED else float(np.clip(0.28 * classes + 1.3, WIDTH, 12.0))


def _shares(matrix: ConfusionMatrix, by: By) -> np.ndarray:
    counts = matrix.counts
    axis = {"count": None, "row": 1, "column": 0}[by if matrix.sums_to_n else "count"]
    most = counts.max() if axis is None else counts.sum(axis=axis, keepdims=True)
    shares: np.ndarray = counts / np.maximum(most, 1)
    return shares


def _panel(
    ax: Axes, matrix: ConfusionMatrix, by: By, title: str,
    order: np.ndarray | None = None, with_axes: bool = True,
) -> None:  # fmt: skip
    counts, shares = matrix.counts, _shares(matrix, by)
    large = len(counts) > MAX_NAMED
    if order is not None:
        shares = shares[np.ix_(order, order)]
    # With many classes the few errors of each would be too pale on a linear scale.
    ax.imshow(shares, cmap="Blues", norm=PowerNorm(0.4 if large else 1.0, 0, 1),
              interpolation="nearest")  # fmt: skip
    ax.set_title(title, fontsize=9)
    ax.spines[:].set_visible(True)
    if with_axes:
        ax.set_xlabel("decided" if matrix.sums_to_n else "wrongly predicted")
        ax.set_ylabel("target" if matrix.sums_to_n else "missed")
    if large:
        ax.set(xticks=[], yticks=[])
        return
    slanted = max(len(name) for name in matrix.columns) > 3 and len(counts) > 2
    ax.set_xticks(range(len(counts)), [short(n) for n in matrix.columns],
                  rotation=45 if slanted else 0, ha="right" if slanted else "center",
                  rotation_mode="anchor")  # fmt: skip
    ax.set_yticks(range(len(counts)), [short(n) for n in matrix.rows])
    size = 12 if with_axes and len(counts) <= 4 else 8 if len(counts) <= 12 else 6.5
    _write_cells(ax, counts, shares, matrix.sums_to_n and by != "count", size)


def _write_cells(
    ax: Axes, counts: np.ndarray, shares: np.ndarray, as_shares: bool, size: float
) -> None:
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column] == 0 and len(counts) > 2:
            continue  # an empty cell is easier to read than a zero
        share, count = float(shares[row, column]), int(counts[row, column])
        text = _percent(share) if as_shares else _short_count(count, len(counts))
        colour = "white" if share > 0.6 else "black"
        cell = ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
        cell.set_in_layout(False)  # it is inside: measuring all of them would take long


def _percent(share: float) -> str:
    """Percent without the sign; a share in (0, 1) is never rounded to 0 or 100."""
    extreme = 0 < share < 0.005 or 0.995 <= share < 1
    return f"{100 * share:.{int(extreme)}f}"


def _short_count(count: int, classes: int) -> str:
    if classes > 6 and count >= 10_000:
        return f"{count / 1000:.0f}k"
    return f"{count}"
