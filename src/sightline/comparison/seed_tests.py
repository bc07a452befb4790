"""Wilcoxon's signed-rank test of two configs over repeated trainings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sightline.comparison.compared_run import ComparedRun

LEVEL = 0.05


@dataclass(frozen=True)
class SeedsResult:
    """Wilcoxon's signed-rank test over trainings that share seed and fold.

    Attributes:
        pairs: how many there are.
        difference: mean of first minus second.
        p: two-sided; None with no pair.
        smallest: the smallest p that so many pairs can reach.
    """

    pairs: int
    difference: float
    p: float | None
    smallest: float


def wilcoxon(first: Mapping[object, float], second: Mapping[object, float]) -> SeedsResult:
    """Test values of one metric, by seed and fold; those that only one side has count not.

    Exact where no differences are tied; equal values are left out, as Wilcoxon did.
    """
    shared = [key for key in first if key in second]
    differences = np.array([first[key] - second[key] for key in shared])
    smallest = 2.0 ** (1 - len(shared)) if shared else 1.0
    if not len(differences):
        return SeedsResult(0, math.nan, None, 1.0)
    mean = float(differences.mean())
    p = float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0
    return SeedsResult(len(differences), mean, p, min(1.0, smallest))


def pairs_needed(tests: int) -> int:
    """How many seeds each side needs before the first of so many tests, corrected by Holm, can
    reach 0.05: six for one test."""
    return 1 + math.ceil(math.log2(tests / LEVEL))


def by_repeat(runs: tuple[ComparedRun, ...], metric: str) -> dict[object, float]:
    """A metric's value for each seed and fold."""
    return {run.repeat: run.metrics[metric] for run in runs}
