"""Tables of a comparison, for reading and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.comparison.compared_run import explained
from sightline.comparison.config_tests import folds_of
from sightline.comparison.estimates import Estimate
from sightline.comparison.label_curves import LabelCurve
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.selection import Selection
from sightline.comparison.uncertainty import LEVEL
from sightline.comparison.verdicts import TOO_FEW, Pair
from sightline.reports.parts import Cell, Section, Table

ESTIMATED = ("mean", "± 95 %", "± covers", "values")
RUNS_ALONE = " *"  # an interval over runs alone, beside some that cover samples too


@dataclass(frozen=True)
class Looks:
    """Inspections of a test set.

    Attributes:
        times: their number.
        runs: the number of runs of the store that inspected it.
    """

    times: int
    runs: int


@dataclass(frozen=True)
class Comparison:
    """A leaderboard of runs, with the tests of the best group.

    Attributes:
        title: names the runs.
        board: ranked.
        split: whose stored predictions are tested.
        pairs: the best group against the next ones.
        looks: inspections of the test set, where the comparison uses it.
        selection: the best value to expect of equal groups; None where that is not known.
        margin: of the tests of equivalence; None where there are none.
        differences: where the models of the first pair differ; None where that was not asked for.
        curves: over the number of training images; none where that does not vary.
    """

    title: str
    board: Leaderboard
    split: str
    pairs: tuple[Pair, ...]
    looks: Looks | None
    selection: Selection | None = None
    margin: float | None = None
    differences: Section | None = None
    curves: tuple[LabelCurve, ...] = ()


def leaderboard_table(board: Leaderboard) -> Table:
    """One row a group, as it is read."""
    metrics = [explained(board.metric)]
    metrics += [explained(board.partner)] if board.partner else []
    columns = ["rank", "runs", *metrics, *board.columns]
    rows = []
    for group in board.groups:
        runs = f"{len(group.runs)} of {len(group.runs) + group.others}"
        cells: list[Cell] = [group.rank, runs if group.others else str(len(group.runs))]
        cells.append(f"{group.score}{RUNS_ALONE if is_marked(board, group) else ''}")
        if board.partner:
            cells.append("" if group.partner is None else str(group.partner))
        rows.append([*cells, *(_short(key, value) for key, value in group.config.items())])
    return Table("leaderboard", "Groups of runs, best first", columns, rows)


def is_marked(board: Leaderboard, group: Group) -> bool:
    """Whether a group's interval covers less than that of others on the board."""
    some = any(each.score.over_samples for each in board.groups)
    return some and group.score.half_width is not None and not group.score.over_samples


def leaderboard_records(board: Leaderboard) -> Table:
    """One row a group, each number in a column of its own, for programs."""
    metrics = [board.metric, *([board.partner] if board.partner else [])]
    numbers = [f"{metric} {what}" for metric in metrics for what in ESTIMATED]
    columns = ["rank", "runs", "runs not ranked", *numbers, *board.columns, "run ids"]
    rows = []
    for group in board.groups:
        cells: list[Cell] = [group.rank, len(group.runs), group.others]
        for estimate in (group.score, group.partner)[: len(metrics)]:
            values = " ".join(repr(value) for value in estimate.values) if estimate else ""
            mean, half = (estimate.mean, estimate.half_width) if estimate else (None, None)
            cells += [mean, half, _covered(group, estimate), values]
        ids = " ".join(run.run_id for run in group.runs)
        rows.append([*cells, *group.config.values(), ids])
    return Table("leaderboard", "leaderboard", columns, rows)


def tests_table(comparison: Comparison) -> Table:
    """The verdict on each pair, with the difference of the means."""
    rows: list[list[Cell]] = []
    for pair in comparison.pairs:
        cells: list[Cell] = [pair_ranks(pair), _verdicts(pair)]
        found = pair.tested
        if found is None:
            rows.append([*cells, None, None, None, None])
            continue
        interval = "{:+.4f} … {:+.4f}".format(*pair.ends) if pair.ends else TOO_FEW
        cells += [f"{found.difference:+.4f}", interval, _p(pair.p_holm)]
        rows.append([*cells, None if pair.is_shown else _shown_from(pair)])
    columns = ["pair", "verdict", "difference", "95 % interval", "p (Holm)", "shown from"]
    return Table("tests", f"The best group against the next, on {comparison.split}", columns, rows)


def _shown_from(pair: Pair) -> str | None:
    least = pair.smallest_shown
    if least is None:
        return TOO_FEW if pair.is_too_small else None
    return f"{least:.4f}"


def _verdicts(pair: Pair) -> str:
    """Both; that a difference which is shown is not equivalent too says nothing more."""
    if pair.equivalence is None or (pair.is_shown and not pair.is_equivalent):
        return pair.verdict
    return f"{pair.verdict}; {pair.equivalence}"


def pair_records(pairs: Sequence[Pair]) -> Table:
    """The test of each pair, each number in a column of its own, for programs."""
    columns = [
        "first", "second", "verdict", "covers", "first run", "second run", "test", "difference",
        "low", "high", "first alone right", "second alone right", "p", "p holm", "shown from",
        "margin", "low 90 %", "high 90 %", "p equivalent holm", "equivalence", "why not tested",
    ]  # fmt: skip
    rows = []
    for pair in pairs:
        found = pair.tested
        numbers: list[Cell] = [None] * 7
        ends: list[Cell] = [None, None]
        if found is not None:
            alone = found.alone or (None, None)
            numbers = [found.test, found.difference, found.low, found.high, *alone, found.p]
            half = found.uncertainty.half_width(1 - 2 * LEVEL)
            ends = [found.difference - half, found.difference + half]
        ids = [" ".join(run.run_id for run in runs) for runs in pair.runs]
        rows.append([
            pair.first.rank, pair.second.rank, pair.verdict, pair.covers if found else None, *ids,
            *numbers, pair.p_holm, pair.smallest_shown, pair.margin, *ends, pair.equivalent_p,
            pair.equivalence, str(pair.refused) if pair.refused else None,
        ])  # fmt: skip
    return Table("tests", "tests", columns, rows)


def unranked_table(board: Leaderboard) -> Table:
    """The runs that take no part."""
    rows = [[each.run.name, each.run.run_id, each.reason] for each in board.unranked]
    return Table("not_ranked", "Runs that are not ranked", ["run", "id", "why"], rows)


def pair_ranks(pair: Pair) -> str:
    """The ranks of both groups."""
    return f"{pair.first.rank} − {pair.second.rank}"


def _covered(group: Group, found: Estimate | None) -> str | None:
    """What an interval covers; None where there is none."""
    if found is None or found.half_width is None:
        return None
    over = over_what(group)
    return f"over {over} and samples" if found.over_samples else f"over {over}, on these samples"


def over_what(group: Group) -> str:
    """What the runs of a group differ in."""
    return "seeds" if folds_of(group.runs) is None else "folds"


def _p(value: float | None) -> str | None:
    if value is None:
        return None
    return "<0.0001" if value < 1e-4 else f"{value:.4f}"


def _short(key: str, value: str) -> str:
    """Digests and ids by their first digits."""
    return value[:8] if key.startswith("data.digest.") or key == "run" else value
