"""Notes beside a comparison's tables: limits of its ranks and tests."""

from collections.abc import Sequence

from sightline.comparison.compared_run import bare_name, split_of
from sightline.comparison.leaderboard import Group
from sightline.comparison.seed_tests import LEVEL, pairs_needed
from sightline.comparison.tables import Comparison, pair_ranks
from sightline.comparison.verdicts import NO_DIFFERENCE, Pair
from sightline.metrics.registry import registry_of


def about_ranks(comparison: Comparison) -> list[str]:
    """Limits of the leaderboard's ranks."""
    board = comparison.board
    notes = []
    if comparison.looks is not None:
        times, runs = comparison.looks.times, comparison.looks.runs
        notes.append(
            f"This test set has been looked at {times:,} time{'s' * (times != 1)}, by {runs:,} "
            f"run{'s' * (runs != 1)}: the more often, the more the best result owes to chance."
        )
    sets = _sets(board.groups, split_of(board.metric))
    if sets > 1:
        notes.append(
            f"The groups were evaluated on {sets} different {split_of(board.metric)} sets: their "
            "values are not of the same samples, and the ranks say little."
        )
    if board.groups and all(len(group.runs) == 1 for group in board.groups):
        notes.append("Each group is a single run: an interval takes several seeds.")
    return notes


def about_tests(comparison: Comparison) -> list[str]:
    """Limits of the tests on the same samples."""
    board, pairs = comparison.board, comparison.pairs
    tested = [pair.tested for pair in pairs if pair.tested is not None]
    notes = []
    if tested and _is_replaced(bare_name(board.metric)):
        notes.append(
            "What is tested is the log loss of the stored probabilities, which is the loss where "
            "that is plain cross-entropy."
        )
    if any(found.alone for found in tested):
        notes.append(
            "Alone: samples that only the first, and that only the second decides rightly."
        )
    if tested and len(board.groups) > 2 and comparison.split == split_of(board.metric):
        notes.append(
            f"Group 1 was picked as the best of {len(board.groups)} on these same samples, which "
            "favours it; no correction here undoes that."
        )
    if any(NO_DIFFERENCE in (pair.verdict, pair.seeds_verdict) for pair in pairs):
        notes.append(
            f"{NO_DIFFERENCE.capitalize()!r} (p over {LEVEL} after Holm's correction) does not say "
            "that there is none: these samples, or seeds, are too few to show one."
        )
    refused = [(pair_ranks(pair), pair.refused) for pair in pairs if pair.refused is not None]
    return [*notes, *(f"{ranks} is not tested: {why}" for ranks, why in refused)]


def about_seeds(pairs: Sequence[Pair]) -> list[str]:
    """The smallest p that so few seeds can reach."""
    found = [pair.seeds for pair in pairs if pair.seeds.pairs]
    if not found:
        return []
    most = max(found, key=lambda each: each.pairs)
    needed = pairs_needed(len(found))
    if most.pairs >= needed:
        return []
    seeds = f"{most.pairs} seed{'s' * (most.pairs != 1)} in common"
    many = f", and {needed} for {len(found)} tests after Holm's correction" if needed > 6 else ""
    return [
        f"With {seeds} Wilcoxon's p cannot be below {most.smallest:.3g}: below six pairs it "
        f"cannot reach {LEVEL}{many}."
    ]


def _sets(groups: Sequence[Group], split: str) -> int:
    """The number of different sets that the groups' runs were evaluated on; all folds are one."""
    key = f"data.digest.{split}"
    each = {frozenset(run.params.get(key) for run in group.runs) for group in groups}
    return len(each)


def _is_replaced(name: str) -> bool:
    """Whether stored predictions are compared by another metric, the log loss for the loss."""
    metric = registry_of().find(name)
    return metric is not None and metric.stored_as is not None
