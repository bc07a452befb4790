"""Figure of class balance: samples of each class in each split."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from sightline.reports.canvas import plain_figure

MAX_CLASSES = 60


def draw_balance(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Stacked horizontal bars, the class with the most training samples first.

    Args:
        counts: samples by split and then by class, training first; of more than 60 classes the
            30 most frequent and the 30 rarest are drawn.
    """
    train = next(iter(counts.values()))
    names = sorted(train, key=lambda name: -train[name])
    if len(names) > MAX_CLASSES:
        names = names[: MAX_CLASSES // 2] + names[-MAX_CLASSES // 2 :]
    figure = plain_figure(7, 0.22 * len(names) + 1.2)
    ax = figure.subplots()
    places = np.arange(len(names))
    left = np.zeros(len(names))
    for split, values in counts.items():
        widths = np.array([values[name] for name in names])
        ax.barh(places, widths, left=left, label=f"{split} ({sum(values.values()):,})", height=0.75)
        left += widths
    ax.set_yticks(places, names, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("samples")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(counts), frameon=False, fontsize=8)
    title = "samples of each class" + (
        f" (the {MAX_CLASSES // 2} most frequent and rarest of {len(train)})"
        if len(train) > MAX_CLASSES
        else ""
    )
    ax.set_title(title, fontsize=10)
    return figure
