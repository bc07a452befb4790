"""Tests of two classifiers on the same samples, and the correction for several of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sightline.comparison.paired_shares import tango_interval
from sightline.comparison.uncertainty import CONFIDENCE, Part, Uncertainty
from sightline.errors import UserError

DISCORDANT = 8  # a mean of so many, all one classifier's, is shown at 0.05 with power 80 %


@dataclass(frozen=True)
class PairedResult:
    """What a paired test found.

    Attributes:
        test: its name, with what it rests on.
        difference: first minus second, in the metric's unit.
        low, high: the 95 % interval of the difference.
        p: two-sided.
        uncertainty: of the difference, for its power and for a test of equivalence.
        alone: how many samples the first and the second alone decide rightly; None where the test
            does not count them.
    """

    test: str
    difference: float
    low: float
    high: float
    p: float
    uncertainty: Uncertainty
    alone: tuple[int, int] | None = None


def mcnemar(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None
) -> PairedResult:
    """McNemar's exact test: of the samples that one alone decides rightly, half are each one's.

    The interval of the difference is Tango's, which holds in small samples and near 0 and 1.

    Args:
        first, second: shape (N,), whether each sample is decided rightly.
        groups: shape (N,), codes of samples that belong together; None where they do not.

    Raises:
        UserError: all samples belong to one group.
    """
    if groups is not None and len(np.unique(groups)) < len(groups):
        return _grouped_mcnemar(first, second, groups)
    count = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    low, high = tango_interval(only_first, only_second, count, CONFIDENCE)
    p = exact_p(only_first, only_second)
    difference = (only_first - only_second) / count
    # One more discordant sample than counted: Agresti & Min 2005, for paired proportions.
    variance = max(only_first + only_second + 1, DISCORDANT) / count**2
    return PairedResult(
        "McNemar's exact test", difference, low, high, p, Uncertainty((Part(variance),)),
        (only_first, only_second),
    )  # fmt: skip


def _grouped_mcnemar(first: np.ndarray, second: np.ndarray, groups: np.ndarray) -> PairedResult:
    """McNemar's test for groups of samples that are not independent of each other.

    With d the samples that the first alone decides rightly minus those of the second alone, in each
    group, (Σ d)² / Σ d² is χ² with one degree of freedom where neither is better (Durkalski et al.
    2003). They divide d by the group's size; here each sample counts once, as it does in the metric
    that is tested (Yang, Sun & Hardin 2010), which is the same for groups of one size. The interval
    is a t-interval over groups.
    """
    _, codes = np.unique(groups, return_inverse=True)
    sizes = np.bincount(codes)
    alone = np.bincount(codes, first.astype(float) - second.astype(float))
    count, number = len(first), len(sizes)
    check_groups(number)
    difference = float(alone.sum()) / count
    squares = float((alone**2).sum())
    p = float(stats.chi2.sf(alone.sum() ** 2 / squares, 1)) if squares else 1.0
    residual = float(((alone - difference * sizes) ** 2).sum())
    variance = (residual + 1) * number / (number - 1) / count**2
    uncertainty = Uncertainty((Part(max(variance, DISCORDANT / count**2), number - 1),))
    half = Uncertainty((Part(variance, number - 1),)).half_width()
    counts = (int((first & ~second).sum()), int((second & ~first).sum()))
    return PairedResult(
        f"McNemar's test of {number:,} groups (Durkalski et al. 2003)", difference,
        difference - half, difference + half, p, uncertainty, counts,
    )  # fmt: skip


def exact_p(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p of samples that one of two classifiers alone decides rightly."""
    either = only_first + only_second
    return float(stats.binomtest(only_first, either).pvalue) if either else 1.0


def paired_bootstrap(
    difference: float, first: np.ndarray, second: np.ndarray, groups: int = 0
) -> PairedResult:
    """Whether 0 lies outside the percentile intervals of a metric's difference.

    p is twice the smaller share of resamples on one side of 0 (Efron & Tibshirani 1993, chapter
    15.4, with one added so that it is never 0).

    Args:
        difference: on the samples as they are.
        first, second: shape (R,), the metric of each classifier on the same R resamples.
        groups: number of those that were resampled; 0 where samples were.

    Raises:
        UserError: the metric is not defined on these samples, or on most of their resamples.
    """
    differences = first - second
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    check_defined(count if np.isfinite(difference) else 0, len(first))
    below, above = int((differences <= 0).sum()), int((differences >= 0).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + count))
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    of = f" of {groups:,} groups" if groups else ""
    uncertainty = Uncertainty((Part(float(np.var(differences, ddof=1))),))
    name = f"paired bootstrap, {count:,} resamples{of}"
    return PairedResult(name, difference, float(low), float(high), p, uncertainty)


def check_defined(defined: int, resamples: int) -> None:
    """Refuse a bootstrap of which most values are undefined.

    Raises:
        UserError: says in how many resamples the metric has a value.
    """
    if defined < max(2, resamples / 2):
        raise UserError(
            f"the metric is defined in {defined:,} of {resamples:,} resamples of these samples "
            "(too few of a class, or of another kind that it needs), so no difference can be tested"
        )


def check_groups(number: int) -> None:
    """Refuse a test of samples that all belong together.

    Raises:
        UserError: there are fewer than two groups.
    """
    if number < 2:
        raise UserError(
            "all of these samples belong to one group (data.group_column), so there is nothing to "
            "tell how much another group would differ"
        )


def holm(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Holm's step-down correction (1979): rejecting where it is at most 0.05 keeps the chance of
    any false positive among all of the tests at 5 %.

    Args:
        p_values: of the tests that took place.
        family: number of tests to correct for; those that did not take place count as not
            significant. None: as many as took place.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    last = max(family or 0, len(p))
    steps = np.maximum.accumulate(p[order] * np.arange(last, last - len(p), -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(each) for each in corrected]
