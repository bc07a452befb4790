"""Tests of two classifiers on the same samples, and the correction for several of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sightline.comparison.leaderboard import CONFIDENCE


@dataclass(frozen=True)
class PairedResult:
    """What a paired test found.

    Attributes:
        test: its name, with what it rests on.
        difference: first minus second, in the metric's unit.
        low, high: the 95 % interval of the difference.
        p: two-sided.
        alone: how many samples the first and the second alone decide rightly; None where the test
            does not count them.
    """

    test: str
    difference: float
    low: float
    high: float
    p: float
    alone: tuple[int, int] | None


def mcnemar(first: np.ndarray, second: np.ndarray) -> PairedResult:
    """McNemar's exact test: of the samples that one alone decides rightly, half are each one's.

    The interval of the difference is put together from Wilson's for each share (Newcombe 1998,
    for paired data), which holds in small samples and near 0 and 1.

    Args:
        first, second: shape (N,), whether each sample is decided rightly.
    """
    count = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    low, high = _newcombe(int((first & second).sum()), only_first, only_second, count)
    p = exact_p(only_first, only_second)
    alone = (only_first, only_second)
    difference = (only_first - only_second) / count
    return PairedResult("McNemar's exact test", difference, low, high, p, alone)


def exact_p(only_first: int, only_second: int) -> float:
    """McNemar's exact two-sided p of samples that one of two classifiers alone decides rightly."""
    either = only_first + only_second
    return float(stats.binomtest(only_first, either).pvalue) if either else 1.0


def paired_bootstrap(difference: float, first: np.ndarray, second: np.ndarray) -> PairedResult:
    """Whether 0 lies outside the percentile intervals of a metric's difference.

    p is twice the smaller share of resamples on one side of 0 (Efron & Tibshirani 1993, chapter
    15.4, with one added so that it is never 0).

    Args:
        difference: on the samples as they are.
        first, second: shape (R,), the metric of each classifier on the same R resamples.
    """
    differences = first - second
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    below, above = int((differences <= 0).sum()), int((differences >= 0).sum())
    p = min(1.0, 2 * (1 + min(below, above)) / (1 + count))
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    name = f"paired bootstrap, {count:,} resamples"
    return PairedResult(name, difference, float(low), float(high), p, None)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): rejecting where it is at most 0.05 keeps the chance of
    any false positive among all of the tests at 5 %."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(each) for each in corrected]


def _newcombe(both: int, only_first: int, only_second: int, count: int) -> tuple[float, float]:
    neither = count - both - only_first - only_second
    first, second = both + only_first, both + only_second
    low_1, high_1 = _wilson(first, count)
    low_2, high_2 = _wilson(second, count)
    product = first * (count - first) * second * (count - second)
    phi = (both * neither - only_first * only_second) / product**0.5 if product else 0.0
    p_1, p_2 = first / count, second / count

    def reach(one: float, other: float) -> float:
        return float(np.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2)))

    difference = p_1 - p_2
    return (
        difference - reach(p_1 - low_1, high_2 - p_2),
        difference + reach(high_1 - p_1, p_2 - low_2),
    )


def _wilson(hits: int, count: int) -> tuple[float, float]:
    interval = stats.binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
