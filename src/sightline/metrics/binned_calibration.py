"""Calibration errors over bins of confidence, their chance level, and an interval."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from sightline.metrics.estimates import Interval
from sightline.metrics.units import Units

BINS = 15
DRAWS = 400  # simulated tables
SMALL = 100  # answers below which a bin's chance error is simulated, and not taken as normal
NORMAL = 10  # variance of a number of outcomes from which on it is nearly normal
ROUNDING = 1e-9  # of errors that are equal where no outcome is a surprise
MULTIPLES = np.linspace(0, 3, 31)  # of the observed gaps


@dataclass(frozen=True)
class Answers:
    """Confidences and outcomes of M known answers.

    Attributes:
        confidence: in [0, 1], shape (M,).
        outcome: 1 where it came true, else 0.
        rows: the sample of each answer.
    """

    confidence: np.ndarray
    outcome: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Bins:
    """Answers in B bins of confidence, none of which is empty.

    Attributes:
        place: the bin of each answer, shape (M,).
        count: answers in each bin, shape (B,).
        gap: outcome minus confidence, the mean of each bin.
        share: mean outcome of each bin.
    """

    place: np.ndarray
    count: np.ndarray
    gap: np.ndarray
    share: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """Share of the answers in each bin."""
        return self.count / self.count.sum()

    def error(self) -> float:
        """The mean of the absolute gaps, weighted by the answers: the ECE."""
        return float(self.weight @ np.abs(self.gap))


def bins_of(answers: Answers, equal_mass: bool = False) -> Bins:
    """Answers in 15 bins: of equal width, or with equally many answers (ties stay together)."""
    edges = np.linspace(0, 1, BINS + 1)
    if equal_mass:
        edges = np.unique(np.quantile(answers.confidence, edges))
    # A confidence on an edge belongs below it, as in Guo et al. (2017).
    place = np.searchsorted(edges[1:-1], answers.confidence)
    there = np.bincount(place) > 0
    place = (np.cumsum(there) - 1)[place]  # empty bins are left out
    count = np.bincount(place)
    share = np.bincount(place, answers.outcome) / count
    return Bins(place, count, share - np.bincount(place, answers.confidence) / count, share)


def l2_debiased(bins: Bins) -> float:
    """The root mean square gap, without what chance adds (Kumar et al. 2019, section 5).

    A bin with a single answer counts as without error; an estimate below 0 is 0.
    """
    several = bins.count > 1
    by_chance = bins.share * (1 - bins.share) / np.maximum(bins.count - 1, 1)
    squares = np.where(several, bins.gap**2 - by_chance, 0)
    return float(np.sqrt(max(0.0, float(bins.weight @ squares))))


def error_by_chance(answers: Answers, bins: Bins, seed: int = 0) -> float:
    """The mean ECE of tables whose outcomes come true exactly as often as their confidence says.

    Each bin's gap is then nearly normal, with mean absolute value sqrt(2 / pi) of its standard
    deviation; small bins are simulated.
    """
    p = answers.confidence
    deviation = np.sqrt(np.bincount(bins.place, p * (1 - p))) / bins.count
    expected = np.sqrt(2 / np.pi) * deviation
    rng = np.random.default_rng(seed)
    for index in np.flatnonzero(bins.count < SMALL):
        own = p[bins.place == index]
        drawn = rng.random((DRAWS, len(own))) < own
        expected[index] = np.abs((drawn - own).mean(axis=1)).mean()
    return float(bins.weight @ expected)


def error_interval(
    answers: Answers, bins: Bins, units: Units, level: float, seed: int = 0
) -> Interval | None:
    """The interval of the population's ECE over these bins, by inverting a simulation.

    An observed ECE is too large by what chance adds, so that neither its bootstrap nor its
    jackknife covers. For multiples c of the observed gaps, tables are simulated whose true gaps are
    c times as large; the interval holds c times the observed ECE for every c under which the
    observed one lies within the central part of the simulated ones (Davison & Hinkley 1997, chapter
    5.5). The observed ECE is never left out, and the upper end is at least as many standard errors
    away as a normal one's: gaps that are small by chance would make it too low. Simulated are the
    outcomes and, as far as the gaps differ, how the answers fall into the bins.

    Returns:
        None where no gap was observed.
    """
    observed, weight = bins.error(), bins.weight
    if not observed:
        return None
    sizes = np.bincount(units.codes[answers.rows], np.abs(bins.gap)[bins.place] - observed)
    shift = np.random.default_rng(seed).standard_normal(DRAWS) * np.sqrt((sizes**2).sum())
    deviations = bin_deviations(answers, bins, units)
    # A bin's few answers may all come true; that a gap is as large as theirs is not taken as known.
    shrunk = (bins.gap * bins.count / (bins.count + 1))[bins.place]
    inside, reach = [], 0.0
    for scale in MULTIPLES:
        p = np.clip(answers.confidence + scale * shrunk, 0, 1)
        noise = gap_noise(p, bins, deviations, seed)
        drawn = np.abs(scale * bins.gap + noise) @ weight + scale * shift / len(p)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        if scale == 1:
            reach = float(ndtri((1 + level) / 2) * drawn.std())
        inside.append(low * (1 - ROUNDING) <= observed <= high * (1 + ROUNDING))
    if not any(inside):  # smaller than by chance
        return Interval(0.0, min(1.0, observed + reach), f"simulated, {units.name}")
    scales = MULTIPLES[np.array(inside)]
    step = MULTIPLES[1] - MULTIPLES[0]
    low = 0.0 if inside[0] else min(1.0, float(scales.min() - step / 2)) * observed
    high = max(float(scales.max() + step / 2) * observed, observed + reach)
    return Interval(low, min(1.0, high), f"simulated, {units.name}")


def gap_noise(p: np.ndarray, bins: Bins, deviations: np.ndarray | None, seed: int) -> np.ndarray:
    """What chance adds to the gap of each bin, shape (DRAWS, B).

    Args:
        p: the probability of each answer, shape (M,).
        bins: B of them.
        deviations: of `bin_deviations`; None: rare outcomes are binomial, far from normal.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    size = np.sqrt(np.bincount(bins.place, p * (1 - p))) / bins.count
    noise = rng.standard_normal((DRAWS, len(size)))
    if deviations is not None:
        return noise @ deviations * size
    noise *= size
    mean = np.clip(np.bincount(bins.place, p) / bins.count, 0, 1)
    for index in np.flatnonzero((bins.count * size) ** 2 < NORMAL):
        drawn = rng.binomial(bins.count[index], mean[index], DRAWS)
        noise[:, index] = drawn / bins.count[index] - mean[index]
    return noise


def bin_deviations(answers: Answers, bins: Bins, units: Units) -> np.ndarray | None:
    """How the bins' gaps deviate together, over the deviations of independent answers: (B, B).

    Normal numbers (DRAWS, B) times this have the correlation of the bins' sums over units, and the
    variance of their design effect (Rao & Scott 1992), at least 1. Each sum is taken over the part
    of it that is left when the bin's own gap is taken off; a unit alone in a bin says nothing.

    Returns:
        None where each answer is a unit.
    """
    if not units.grouped and len(answers.outcome) == units.count:
        return None
    rows, number = units.codes[answers.rows], bins.count[bins.place]
    codes = rows * len(bins.count) + bins.place
    left = 1 - np.bincount(codes)[codes] / number  # the share of a bin's answers of other units
    some = left > 0
    rest = np.where(some, answers.outcome - answers.confidence - bins.gap[bins.place], 0)
    single = (rest**2 * some / np.where(some, 1 - 1 / number, 1)).sum()
    sums = np.zeros((units.count, len(bins.count)))
    np.add.at(sums, (rows, bins.place), rest / np.sqrt(np.where(some, left, 1)))
    sizes = np.sqrt((sums**2).sum(axis=0))
    correlation = sums.T @ sums / np.maximum(np.outer(sizes, sizes), 1e-12)
    np.fill_diagonal(correlation, 1)
    effect = max(1.0, (sizes**2).sum() / max(single, 1e-12))
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(np.sqrt(effect) * (vectors * np.sqrt(np.maximum(values, 0))).T)
