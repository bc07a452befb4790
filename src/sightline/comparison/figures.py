"""Figures of a comparison: the leaderboard's intervals, and the differences to the best."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sightline.comparison.compared_run import explained
from sightline.comparison.estimates import Estimate
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.verdicts import NO_DIFFERENCE, Pair
from sightline.reports.canvas import WIDTH, new_figure, short, styled

TOP = 15  # groups that are drawn
ROW = 0.3  # inches


@styled
def draw_leaderboard(board: Leaderboard) -> Figure:
    """Mean and 95 % interval of the best groups, and each run; beside it the other checkpoint."""
    groups = board.groups[:TOP]
    figure = new_figure(1.3 + ROW * len(groups), WIDTH * 1.25)
    ax = figure.subplots()
    places = np.arange(len(groups))
    for place, group in zip(places, groups, strict=True):
        runs = group.score.values
        ax.plot(runs, [place] * len(runs), "o", color="0.7", markersize=4, zorder=1)
    _estimates(ax, places, [group.score for group in groups], "C0", "o", explained(board.metric))
    others = [(place, g.partner) for place, g in zip(places, groups, strict=True) if g.partner]
    if board.partner and others:
        where = np.array([place for place, _ in others]) + 0.25
        _estimates(ax, where, [each for _, each in others], "C1", "s", explained(board.partner))
    ax.set_yticks(places, [_label(group) for group in groups])
    ax.set_ylim(len(groups) - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="x", color="0.9")
    figure.legend(loc="outside lower center")
    return figure


@styled
def draw_differences(pairs: Sequence[Pair], metric: str) -> Figure:
    """The best group minus each of the others, with the 95 % interval of the difference."""
    tested = [(pair, pair.tested) for pair in pairs if pair.tested is not None]
    figure = new_figure(1.0 + ROW * len(tested), WIDTH * 1.25)
    ax = figure.subplots()
    ax.axvline(0, color="0.5", linewidth=0.8)
    for place, (pair, found) in enumerate(tested):
        colour = "C0" if pair.is_shown else "0.55"
        ax.plot([found.low, found.high], [place, place], color=colour, linewidth=2)
        ax.plot(found.difference, place, "o", color=colour, markersize=5)
    ax.set_yticks(range(len(tested)), [f"1 − {_label(pair.second)}" for pair, _ in tested])
    ax.set_ylim(len(tested) - 0.5, -0.5)
    ax.set_xlabel(f"difference in {metric}; grey: {NO_DIFFERENCE}")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="x", color="0.9")
    return figure


def _estimates(
    ax: Axes,
    places: np.ndarray,
    estimates: Sequence[Estimate],
    colour: str,
    marker: str,
    label: str,
) -> None:
    means = [each.mean for each in estimates]
    halves = [each.half_width or 0.0 for each in estimates]
    ax.errorbar(means, places, xerr=halves, fmt=marker, color=colour, markersize=5, capsize=2,
                label=label, zorder=2)  # fmt: skip


def _label(group: Group) -> str:
    values = [f"{key.rsplit('.', 1)[-1]}={value}" for key, value in group.config.items()]
    return f"{group.rank}  {short(', '.join(values), 28)}" if values else str(group.rank)
