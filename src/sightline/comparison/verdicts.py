"""The best group against the next ones: tested on stored predictions, and over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sightline.comparison.compared_run import ComparedRun, bare_name
from sightline.comparison.hypothesis_tests import PairedResult, holm
from sightline.comparison.leaderboard import Group, Leaderboard
from sightline.comparison.sample_tests import Tables, compare_on_samples
from sightline.comparison.seed_tests import LEVEL, SeedsResult, by_repeat, wilcoxon
from sightline.errors import UserError

NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True)
class Pair:
    """The first group against another.

    Attributes:
        first, second: the groups.
        runs: the two whose predictions are tested: of one seed and fold where both have it.
        tested: what the test on the same samples found; None where there was none.
        refused: why there was none; None where there was one.
        p_holm: its p, corrected for all pairs.
        seeds: the test over seeds.
        seeds_p_holm: its p, corrected for all pairs.
        maximise: whether more is better on the tested samples.
    """

    first: Group
    second: Group
    runs: tuple[ComparedRun, ComparedRun]
    tested: PairedResult | None
    refused: UserError | None
    p_holm: float | None
    seeds: SeedsResult
    seeds_p_holm: float | None
    maximise: bool

    @property
    def verdict(self) -> str:
        """What the test on the same samples shows, in a few words."""
        if self.tested is None or self.p_holm is None:
            return "not tested"
        if self.p_holm > LEVEL:
            return NO_DIFFERENCE
        first_wins = (self.tested.difference > 0) == self.maximise
        return f"{(self.first if first_wins else self.second).rank} is better"

    @property
    def seeds_verdict(self) -> str:
        """What the test over seeds shows, in a few words."""
        if self.seeds.p is None or self.seeds_p_holm is None:
            return "no seeds in common"
        if self.seeds_p_holm > LEVEL:
            return NO_DIFFERENCE
        first_wins = (self.seeds.difference > 0) == self.maximise
        return f"{(self.first if first_wins else self.second).rank} is better"


def matched_runs(board: Leaderboard, against: int) -> list[tuple[ComparedRun, ComparedRun]]:
    """For the best group and each of the next: the runs to test, of the lowest common seed.

    Chosen by seed, not by value: each group's best run would be one that luck favoured.
    """
    best, *others = board.groups[: against + 1]
    return [_of_one_seed(best, other) for other in others]


def compare_pairs(
    board: Leaderboard, against: int, split: str, tables: Tables, resamples: int, seed: int,
    plugins: Sequence[str] = (),
) -> list[Pair]:  # fmt: skip
    """Test the best group against the next.

    Args:
        board: ranked.
        against: how many of the next.
        split: whose predictions are tested.
        tables: of every run in `matched_runs`.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        plugins: packages with metrics of their own.
    """
    name = bare_name(board.metric)
    matched = matched_runs(board, against)
    found = compare_on_samples(matched, name, split, tables, resamples, seed, plugins)
    best, *others = board.groups[: against + 1]
    pairs = []
    for other, runs, result in zip(others, matched, found, strict=True):
        values = [by_repeat(group.runs, board.metric) for group in (best, other)]
        tested = result if isinstance(result, PairedResult) else None
        refused = None if isinstance(result, PairedResult) else result
        maximise = board.maximise
        pairs.append(
            Pair(best, other, runs, tested, refused, None, wilcoxon(*values), None, maximise)
        )
    return _corrected(pairs)


def _corrected(pairs: list[Pair]) -> list[Pair]:
    """Each family of tests corrected by Holm among those that took place."""
    on_samples = _holm_of_some([pair.tested.p if pair.tested else None for pair in pairs])
    over_seeds = _holm_of_some([pair.seeds.p for pair in pairs])
    return [
        replace(pair, p_holm=one, seeds_p_holm=other)
        for pair, one, other in zip(pairs, on_samples, over_seeds, strict=True)
    ]


def _holm_of_some(values: Sequence[float | None]) -> list[float | None]:
    corrected = iter(holm([p for p in values if p is not None]))
    return [None if p is None else next(corrected) for p in values]


def _of_one_seed(first: Group, second: Group) -> tuple[ComparedRun, ComparedRun]:
    ours = {run.repeat: run for run in first.runs}
    theirs = {run.repeat: run for run in second.runs}
    shared = sorted(ours.keys() & theirs.keys(), key=_as_numbers)
    if shared:
        return ours[shared[0]], theirs[shared[0]]
    return ours[min(ours, key=_as_numbers)], theirs[min(theirs, key=_as_numbers)]


def _as_numbers(repeat: tuple[str, str]) -> tuple[float, ...]:
    return tuple(float(part) if part.isdigit() else math.inf for part in repeat)
