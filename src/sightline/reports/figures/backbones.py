"""Figure of frozen backbones: quality over parameters and over images a second."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sightline.reports.canvas import WIDTH, new_figure, short, styled


@dataclass(frozen=True)
class BackbonePoint:
    """One probe of one backbone.

    Attributes:
        label: of the backbone.
        probe: its name.
        value: of the metric.
        low, high: ends of its interval; the value itself where there is none.
        parameters: of the backbone.
        images_per_s: of its forward pass.
    """

    label: str
    probe: str
    value: float
    low: float
    high: float
    parameters: float
    images_per_s: float


@styled
def draw_backbones(points: Sequence[BackbonePoint], metric: str, maximise: bool) -> Figure:
    """Each probe's value with its interval; backbones that none beats in both are named.

    Args:
        points: of all backbones.
        metric: its key, for the axis.
        maximise: whether a larger value is better.
    """
    figure = new_figure(6.6, WIDTH * 1.4)
    above, below = figure.subplots(2, 1)
    probes = list(dict.fromkeys(point.probe for point in points))
    for ax in (above, below):
        for number, probe in enumerate(probes):
            own = [point for point in points if point.probe == probe]
            _draw(ax, own, f"C{number}", probe, of_size=ax is above)
        ax.set_xscale("log")
        ax.set_ylabel(metric)
        ax.grid(color="0.92")
        ax.margins(x=0.12, y=0.12)
        if not maximise:
            ax.invert_yaxis()
    above.set_xlabel("parameters of the backbone")
    below.set_xlabel("images a second in the forward pass")
    _name(above, best_for_cost([(p.parameters, p) for p in points], maximise), of_size=True)
    _name(below, best_for_cost([(-p.images_per_s, p) for p in points], maximise), of_size=False)
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=len(probes))
    return figure


def best_for_cost(
    costs: Sequence[tuple[float, BackbonePoint]], maximise: bool
) -> list[BackbonePoint]:
    """The points than which no cheaper or equally cheap one is better (the Pareto front).

    Args:
        costs: what each point costs, with the point.
        maximise: whether a larger value is better.
    """
    sign = 1 if maximise else -1
    found: list[BackbonePoint] = []
    for _, point in sorted(costs, key=lambda each: (each[0], -sign * each[1].value)):
        if not found or sign * point.value > sign * found[-1].value:
            found.append(point)
    return found


def _draw(
    ax: Axes, points: Sequence[BackbonePoint], colour: str, label: str, of_size: bool
) -> None:
    places = [_place(point, of_size) for point in points]
    values = [point.value for point in points]
    ends = [[point.value - point.low for point in points],
            [point.high - point.value for point in points]]  # fmt: skip
    ax.errorbar(places, values, yerr=ends, fmt="o", color=colour, markersize=5, elinewidth=0.8,
                alpha=0.8, label=label)  # fmt: skip


def _name(ax: Axes, points: Sequence[BackbonePoint], of_size: bool) -> None:
    """Write the points' names, each towards the middle of the axis."""
    left, right = ax.get_xlim()
    for point in points:
        place = _place(point, of_size)
        side = -1 if place**2 > left * right else 1
        ax.annotate(short(point.label, 24), (place, point.value), fontsize=8, xytext=(5 * side, 4),
                    textcoords="offset points", ha="right" if side < 0 else "left")  # fmt: skip


def _place(point: BackbonePoint, of_size: bool) -> float:
    return point.parameters if of_size else point.images_per_s
