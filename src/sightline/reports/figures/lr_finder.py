"""Figure of a learning-rate finder: the loss of a training whose learning rate rises."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from sightline.reports.canvas import plain_figure

ABOVE = 2.0  # times the first loss: what is shown of a loss that grows without bound


def draw_lr_finder(
    rates: Sequence[float], losses: Sequence[float], suggestion: float | None, used: float
) -> Figure:
    """The smoothed loss over the learning rate, with the suggested and the used one.

    Args:
        rates: of the optimizer, ascending.
        losses: at each of them.
        suggestion: None where there is none.
        used: that the training has.
    """
    figure = plain_figure(6, 3.4)
    ax = figure.subplots()
    finite = [(rate, loss) for rate, loss in zip(rates, losses, strict=True) if math.isfinite(loss)]
    ax.plot([rate for rate, _ in finite], [loss for _, loss in finite], linewidth=1.4)
    if suggestion is not None:
        ax.axvline(suggestion, color="C3", linewidth=1, label=f"suggested {suggestion:.3g}")
    ax.axvline(used, color="0.4", linewidth=1, linestyle="--", label=f"used {used:.3g}")
    if finite:
        low = min(loss for _, loss in finite)
        first = finite[0][1]
        ax.set_ylim(top=max(first, low) + ABOVE * max(first - low, 0.1 * abs(first)))
    ax.set_xscale("log")
    ax.set_xlabel("optimizer.lr")
    ax.set_ylabel("loss, smoothed")
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    return figure
