"""The optimism of the best among several: what chance alone would make of the best of N equals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.comparison.expected_maximum import expected_maximum
from sightline.comparison.leaderboard import Leaderboard
from sightline.comparison.verdicts import Pair


@dataclass(frozen=True)
class Selection:
    """The best value to expect if all groups were equal.

    Attributes:
        count: number of groups that the best was picked from.
        mean: of their values.
        expected: value of the best of so many equal groups, whose values differ by the seeds and
            samples alone.
    """

    count: int
    mean: float
    expected: float


def selection_of(board: Leaderboard, pairs: Sequence[Pair]) -> Selection | None:
    """The best value to expect of the board's groups if they were equal.

    The spread of equal groups is that of the tested differences, divided by √2: what all groups
    share, as the samples' difficulty, raises none above the others.

    Args:
        board: ranked.
        pairs: tested on the split that is ranked by.
    """
    variances = [pair.tested.uncertainty.standard_error**2 for pair in pairs if pair.tested]
    if not variances or not all(map(math.isfinite, variances)):
        return None
    deviation = math.sqrt(float(np.mean(variances)) / 2)
    gain = expected_maximum(len(board.groups)) * deviation
    mean = float(np.mean([group.score.mean for group in board.groups]))
    return Selection(len(board.groups), mean, mean + (gain if board.maximise else -gain))
