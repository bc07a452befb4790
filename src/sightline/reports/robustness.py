"""Robustness as curves over severities."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from sightline.reports.canvas import new_figure, styled


@styled
def draw_robustness(curves: Mapping[str, Sequence[float]], metric: str, title: str) -> Figure:
    """A line a corruption, from the clean pictures (0) to the strongest; the mean is bold.

    Args:
        curves: by corruption, the metric at severities 0, 1, ...
        metric: its name.
        title: of the figure.
    """
    figure = new_figure(4.2)
    ax = figure.subplots()
    for name, values in curves.items():
        style = {"color": "black", "linewidth": 2.5} if name == "mean" else {"linewidth": 1.2}
        ax.plot(range(len(values)), values, marker="o", markersize=3, label=name, **style)
    ax.set(xlabel="severity", ylabel=metric, title=title)
    ax.set_xticks(range(max(len(values) for values in curves.values())))
    ax.grid(color="0.9", linewidth=0.6)
    figure.legend(loc="outside right center", fontsize=7)
    return figure
