"""Tests of the best group against the next ones, each at the level that the groups' runs allow."""

import math
from dataclasses import replace

from sightline.comparison.comparability import NotComparable, check_same_split
from sightline.comparison.compared_run import BEST, ComparedRun, bare_name, images_of, split_of
from sightline.comparison.config_tests import (
    folds_of,
    over_folds,
    over_runs,
    over_runs_and_samples,
    runs_by_fold,
)
from sightline.comparison.hypothesis_tests import PairedResult, holm
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.sample_tests import compare_two_runs
from sightline.comparison.stored_values import StoredValues
from sightline.comparison.uncertainty import LEVEL
from sightline.comparison.verdicts import TWO_RUNS, Pair
from sightline.errors import UserError


def tested_groups(board: Leaderboard, against: int) -> tuple[Group, ...]:
    """The best group and those that it is tested against."""
    return board.groups[: against + 1] if against else ()


def compare_pairs(
    board: Leaderboard, against: int, split: str, stored: StoredValues, margin: float | None = None
) -> list[Pair]:
    """Test the best group against the next.

    Where the best was picked on the samples that it is tested on, each of the groups could have
    been it, so that p is corrected for all pairs among them, not for those with the best alone.

    Args:
        board: ranked.
        against: how many of the next.
        split: whose predictions are tested.
        stored: the metric of every run of these groups.
        margin: of a difference that does not matter, in the metric's unit, over 0.
    """
    best, *others = tested_groups(board, against)
    pairs = [_tested(board, best, other, split, stored) for other in others]
    tested = [pair.tested for pair in pairs if pair.tested is not None]
    picked = split == split_of(board.metric)
    family = (len(tested) + 1) * len(tested) // 2 if picked else len(tested)
    corrected = iter(holm([each.p for each in tested], family))
    found = [replace(pair, p_holm=next(corrected)) if pair.tested else pair for pair in pairs]
    left = max(1, family - sum(pair.is_shown for pair in found))
    found = [replace(pair, level=LEVEL / left) for pair in found]
    return found if margin is None else _with_equivalence(found, margin)


def _with_equivalence(pairs: list[Pair], margin: float) -> list[Pair]:
    """The two one-sided tests of each pair, corrected by Holm."""
    tested = [pair.tested for pair in pairs if pair.tested is not None]
    p_values = [each.uncertainty.p_equivalent(each.difference, margin) for each in tested]
    corrected = iter(holm(p_values))
    return [
        replace(pair, margin=margin, equivalent_p=next(corrected)) if pair.tested else pair
        for pair in pairs
    ]


def _tested(
    board: Leaderboard, best: Group, other: Group, split: str, stored: StoredValues
) -> Pair:
    """The test of two groups at the level that their runs allow, or why there is none."""
    runs: tuple[tuple[ComparedRun, ...], tuple[ComparedRun, ...]] = (best.runs, other.runs)
    images = images_of(split)
    samples = f"groups of {images}" if stored.codes is not None else images
    result: PairedResult | None = None
    refused: UserError | None = None
    covers = f"{TWO_RUNS}, over {samples}"
    metric = logged_key(board.metric, split)
    try:
        if len(best.runs) < 2 or len(other.runs) < 2:
            first, second = _of_one_seed(best, other)
            runs = ((first,), (second,))
            result = compare_two_runs(stored, first.run_id, second.run_id)
        elif folds_of(best.runs) and _own_samples(best, split):
            covers = f"over folds of the {images}"
            _check_folds(best, other, split)
            result = over_folds(best.runs, other.runs, metric)
        else:
            over = "folds" if folds_of(best.runs) else "seeds"
            covers = f"over {over} and {samples}"
            try:
                result = over_runs_and_samples(stored, best.runs, other.runs)
            except NotComparable:
                raise
            except UserError as error:
                covers, refused = f"over {over}, on these {images}", error
                result = over_runs(best.runs, other.runs, metric)
    except UserError as error:
        refused = error
    return Pair(best, other, runs, covers, result, refused, board.maximise, board.bounds)


def logged_key(metric: str, split: str) -> str:
    """The key of the metric that is ranked by, on the split that is tested."""
    if split == split_of(metric):
        return metric
    return f"{BEST if split == 'val' else split}/{bare_name(metric)}"


def _own_samples(group: Group, split: str) -> bool:
    """Whether each fold has samples of its own on a split."""
    return len({run.params.get(f"data.digest.{split}") for run in group.runs}) > 1


def _check_folds(best: Group, other: Group, split: str) -> None:
    """Refuse folds of one number whose samples differ."""
    theirs = runs_by_fold(other.runs)
    for fold, runs in runs_by_fold(best.runs).items():
        for run in theirs.get(fold, []):
            check_same_split(runs[0], run, split)


def _of_one_seed(first: Group, second: Group) -> tuple[ComparedRun, ComparedRun]:
    """The runs of the lowest common seed; chosen by seed, not by value: each group's best run would
    be one that chance favoured."""
    ours = {run.repeat: run for run in first.runs}
    theirs = {run.repeat: run for run in second.runs}
    shared = sorted(ours.keys() & theirs.keys(), key=_as_numbers)
    if shared:
        return ours[shared[0]], theirs[shared[0]]
    return ours[min(ours, key=_as_numbers)], theirs[min(theirs, key=_as_numbers)]


def _as_numbers(repeat: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(float(part) if part.isdigit() else math.inf for part in repeat)
