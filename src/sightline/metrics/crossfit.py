"""Cross-fitting: parts of a table that are judged by what was fitted on the others, and gains.

What is fitted and judged on the same samples is optimistic. With K parts, each sample is judged by
what was fitted without its part (Stone 1974), so that the value is that of new samples.
"""

import math
from dataclasses import dataclass

import numpy as np

from sightline.label_modes.counts import rates_of
from sightline.predictions import Predictions

PARTS = 5
RESAMPLES, CHUNK = 500, 50
HELD = 4_000_000  # weights at a time
ONE_SIDED = 0.05  # how often a gain is seen where there is none


@dataclass(frozen=True)
class Gain:
    """A gain on val, judged by cross-fitting.

    Attributes:
        value: what was fitted, minus what it is compared with; over 0 is better.
        low: its lower bound.
    """

    value: float
    low: float

    @property
    def shown(self) -> bool:
        """Whether the gain is beyond its noise."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.value:+.4f}, lower bound {self.low:+.4f}"


def parts_of(table: Predictions, count: int = PARTS, seed: int = 0) -> np.ndarray:
    """The part of each sample, shape (N,), in [0, count): equal shares of each class in each part.

    Groups stay whole. A group, and a sample of several labels, counts with the rarest class in it.
    """
    strata, units = _strata(table.targets), _units(table)
    rarest = np.full(units.max(initial=-1) + 1, strata.max(initial=0))
    np.minimum.at(rarest, units, strata)
    size = np.bincount(units, minlength=len(rarest))
    order = np.random.default_rng(seed).permutation(len(rarest))
    order = order[np.lexsort((-size[order], rarest[order]))]
    part = np.empty(len(rarest), np.int64)
    part[order] = np.arange(len(rarest)) % max(min(count, len(rarest)), 1)
    found: np.ndarray = part[units]
    return found


def mean_gain(gains: np.ndarray, table: Predictions) -> Gain:
    """The mean of the samples' gains (N,), NaN where not known; its bound is one standard error.

    Groups are drawn whole.
    """
    known = ~np.isnan(gains)
    units = _units(table)[known]
    sums, sizes = np.bincount(units, gains[known]), np.bincount(units)
    sums, sizes = sums[sizes > 0], sizes[sizes > 0]
    if len(sums) < 2:
        return Gain(0.0, -np.inf)
    mean = float(sums.sum() / sizes.sum())
    spread = np.sqrt(((sums - mean * sizes) ** 2).sum() * len(sums) / (len(sums) - 1))
    return Gain(mean, mean - float(spread / sizes.sum()))


def f1_gain(
    before: np.ndarray, after: np.ndarray, targets: np.ndarray, table: Predictions, both: bool
) -> Gain:
    """The gain of the mean F1 score over labels; its one-sided 95 % bound by a bootstrap.

    Args:
        before, after: decisions (N, T) of 0 and 1.
        targets: (N, T) of 0 and 1, negative where not known.
        table: whose groups are drawn whole.
        both: whether a label's score is the mean of its F1 of yes and of no, which deciding
            everything for one of them does not raise.
    """
    units = _units(table)
    count = int(units.max()) + 1
    answers = (1, 0) if both else (1,)

    def sums(cells: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(units, each, minlength=count) for each in cells.T], axis=1)

    present = {answer: sums(targets == answer) for answer in answers}
    decided = {}  # hits and decisions, before and after
    for answer in answers:
        for which, each in enumerate((before == answer, after == answer)):
            found = sums(each & (targets == answer)), sums(each & (targets >= 0))
            decided[answer, which] = found

    def difference(weights: np.ndarray) -> np.ndarray:
        """Of R weightings (R, units) of the samples, shape (R,)."""
        total = np.zeros(len(weights))
        for answer in answers:
            support = weights @ present[answer]
            first, second = (
                rates_of(weights @ hits, weights @ yes, support)["f1"]
                for hits, yes in (decided[answer, 0], decided[answer, 1])
            )
            gained = np.where(support > 0, second - first, 0.0)
            total += gained.sum(axis=1) / np.maximum((support > 0).sum(axis=1), 1)
        return total / len(answers)

    rng = np.random.default_rng(0)
    size = max(1, min(CHUNK, HELD // count))
    drawn = [
        difference(rng.multinomial(count, np.full(count, 1 / count), size=size).astype(float))
        for _ in range(math.ceil(RESAMPLES / size))
    ]
    value = float(difference(np.ones((1, count)))[0])
    return Gain(value, float(np.quantile(np.concatenate(drawn), ONE_SIDED)))


def _units(table: Predictions) -> np.ndarray:
    """The unit that each sample is drawn with: its group, or itself; from 0."""
    if table.groups is None:
        return np.arange(len(table))
    return np.unique(table.groups, return_inverse=True)[1]


def _strata(targets: np.ndarray) -> np.ndarray:
    """The rank of each sample's class by its frequency, 0 for the rarest; of several the least."""
    if targets.ndim == 1:
        counts = np.bincount(targets)
        ranks = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
        return np.asarray(ranks[targets])
    counts = (targets == 1).sum(axis=0)
    ranks = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    return np.asarray(np.where(targets == 1, ranks, len(counts)).min(axis=1, initial=len(counts)))
