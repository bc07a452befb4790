"""A comparison in a terminal: a board that fits, and the verdict in one line."""

import math
from collections.abc import Sequence

from rich import get_console

from sightline.comparison.compared_run import explained
from sightline.comparison.estimates import Estimate
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.tables import Comparison
from sightline.comparison.verdicts import TOO_FEW, Pair
from sightline.reports.parts import Cell, Table
from sightline.reports.terminal import fitted, to_rich

MOST_DECIMALS = 4


def print_ranked(
    comparison: Comparison, shown: int, keys: Sequence[str], title: str | None = None
) -> None:
    """Print the best groups of a board, the best one's values, and the verdict.

    Args:
        comparison: with its tests.
        shown: most rows.
        keys: of the config, that are shown; of those that differ.
        title: above the table; None: what is ranked.
    """
    console, board = get_console(), comparison.board
    columns = [name for name in board.columns if name in keys] or list(board.columns)
    console.print(to_rich(fitted(board_table(board, shown, columns, title), columns)))
    lines = [f"best:    {_named(group, columns)}" for group in board.groups[:1]]
    lines += [f"verdict: {verdict_line(pair)}" for pair in comparison.pairs[:1]]
    lines += [f"labels:  {curve.sentence}" for curve in comparison.curves]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def board_table(
    board: Leaderboard, shown: int, columns: Sequence[str], title: str | None = None
) -> Table:
    """The first rows of a board: rank, runs, the metric, and what differs."""
    rows: list[list[Cell]] = [
        [group.rank, len(group.runs), warranted(group.score), *(group.config[c] for c in columns)]
        for group in board.groups[:shown]
    ]
    caption = title or f"By {explained(board.metric)}, mean ± 95 % over the runs of a config"
    if len(board.groups) > shown:
        caption += f"; the first {shown} of {len(board.groups)}"
    return Table(None, caption, ["rank", "runs", board.metric, *columns], rows)


def warranted(found: Estimate) -> str:
    """A mean in the digits that its interval warrants: two of the half-width."""
    if not found.half_width:
        return f"{found.mean:.{MOST_DECIMALS}f}"
    places = min(MOST_DECIMALS, max(0, 1 - math.floor(math.log10(found.half_width))))
    return f"{found.mean:.{places}f} ± {found.half_width:.{places}f}"


def verdict_line(pair: Pair) -> str:
    """What the test of two groups says, with the difference and its interval."""
    words = f"{pair.first.rank} against {pair.second.rank}: {pair.verdict}"
    found = pair.tested
    if found is None:
        return f"{words} ({pair.refused})" if pair.refused else words
    if not pair.ends:
        return f"{words} (difference {found.difference:+.4f} [{TOO_FEW}])"
    interval = "{:+.4f}, {:+.4f}".format(*pair.ends)
    p = "" if pair.p_holm is None else f", p {pair.p_holm:.2g} corrected for all pairs"
    return f"{words} (difference {found.difference:+.4f} [{interval}]{p})"


def _named(group: Group, columns: Sequence[str]) -> str:
    values = " ".join(f"{key}={group.config[key]}" for key in columns if group.config[key])
    return f"{values or 'the only config'}  ({warranted(group.score)})"
