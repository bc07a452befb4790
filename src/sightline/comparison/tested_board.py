"""A leaderboard with its tests: the stored predictions of the best groups, read and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sightline.comparison.compared_run import bare_name, split_of
from sightline.comparison.estimates import over_samples
from sightline.comparison.leaderboard import Leaderboard
from sightline.comparison.pair_tests import compare_pairs, tested_groups
from sightline.comparison.selection import Selection, selection_of
from sightline.comparison.settings import ComparisonSettings
from sightline.comparison.stored_metrics import is_tuned
from sightline.comparison.stored_values import Sampling, StoredValues, Tables, evaluate_runs
from sightline.comparison.verdicts import Pair
from sightline.errors import UserError
from sightline.tracking.mlflow.queries import key_of
from sightline.tracking.mlflow.stored_files import read_tables
from sightline.tracking.mlflow.stored_run import StoredRun
from sightline.tracking.mlflow.stored_tunings import read_tunings


@dataclass(frozen=True)
class TestedBoard:
    """A leaderboard with the tests of its best group.

    Attributes:
        board: with intervals over samples too, where predictions are stored.
        pairs: the best group against the next ones.
        selection: the best value to expect of equal groups; None where that is not known.
    """

    board: Leaderboard
    pairs: tuple[Pair, ...] = ()
    selection: Selection | None = None


def add_tests(
    board: Leaderboard, stored: Mapping[str, StoredRun], split: str, settings: ComparisonSettings
) -> TestedBoard:
    """Read the predictions of the best groups, and test them.

    Args:
        board: ranked.
        stored: by the run's id.
        split: whose predictions are tested.
        settings: of the comparison.

    Raises:
        UserError: the margin has no meaning here.
    """
    check_margin(board, settings)
    if not settings.against or not board.groups:
        return TestedBoard(board)
    against, margin = settings.against, settings.margin
    values = _evaluate(board, stored, split, settings)
    pairs = compare_pairs(board, against, split, values, margin)
    ranked_by = split_of(board.metric)
    if split != ranked_by:  # the intervals and the selection are of the split that is ranked by
        values = _evaluate(board, stored, ranked_by, settings)
    tested = {group.rank for group in tested_groups(board, against)}
    groups = [
        replace(group, score=over_samples(group.score, group.runs, values, board.bounds))
        if group.rank in tested else group
        for group in board.groups
    ]  # fmt: skip
    ranked = pairs if split == ranked_by else compare_pairs(board, against, ranked_by, values)
    return TestedBoard(
        replace(board, groups=tuple(groups)), tuple(pairs), selection_of(board, ranked)
    )


def check_margin(board: Leaderboard, settings: ComparisonSettings) -> None:
    """Refuse a margin where nothing is tested, or that every difference would be within.

    Raises:
        UserError: says what to do.
    """
    margin = settings.margin
    if margin is None:
        return
    if not settings.against:
        raise UserError(
            f"margin={margin:g} with against=0: nothing is tested, so the margin has no effect; "
            "leave one of them out."
        )
    low, high = board.bounds
    if margin >= high - low:
        raise UserError(
            f"margin={margin:g}: {board.metric} has values from {low:g} to {high:g}, so every "
            "difference would be within it; give points as a fraction, such as margin=0.01 for one "
            "point."
        )


def _without(runs: Sequence[StoredRun], name: str) -> Tables:
    """For a metric of no split: of another program, which stored no predictions of it."""
    return {
        key_of(run): UserError(f"{run.name!r} has {name} alone, and no predictions here")
        for run in runs
    }


def _evaluate(
    board: Leaderboard, stored: Mapping[str, StoredRun], split: str, settings: ComparisonSettings
) -> StoredValues:
    """The metric of every run of the tested groups, from their stored predictions."""
    runs = [run for group in tested_groups(board, settings.against) for run in group.runs]
    name = bare_name(board.metric)
    needed = [stored[run.run_id] for run in runs]
    tables: Tables = read_tables(needed, split) if split else _without(needed, name)
    tunings = read_tunings(needed) if is_tuned(name) else {}
    sampling = Sampling(settings.resamples, settings.seed, settings.plugins)
    return evaluate_runs(runs, name, split, tables, tunings, sampling)
