"""Figure of the learning rates of a training over its steps, as they are planned."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from sightline.reports.canvas import plain_figure

MAX_LABELS = 6


def draw_learning_rates(
    steps: Sequence[int], rates: Sequence[Sequence[float]], factors: Sequence[float], title: str
) -> Figure:
    """One line for each factor of the learning rate.

    Args:
        steps: at which the rates are known.
        rates: for each step, the rate of each factor.
        factors: of the optimizer's learning rate.
        title: above the figure.
    """
    figure = plain_figure(6, 3.4)
    ax = figure.subplots()
    order = sorted(range(len(factors)), key=lambda index: -factors[index])
    for place, index in enumerate(order):
        named = len(order) <= MAX_LABELS or place in (0, len(order) - 1)
        label = f"lr × {factors[index]:.3g}" if named else None
        ax.plot(steps, [each[index] for each in rates], label=label, linewidth=1.4)
    if len(factors) > 1:
        ax.set_yscale("log")
        ax.legend(frameon=False, fontsize=8)
    ax.set_xlabel("optimizer step")
    ax.set_ylabel("learning rate")
    ax.set_title(title, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    return figure
