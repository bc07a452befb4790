"""Intervals of shares: mid-P over an effective number of trials, and of means of shares."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from sightline.metrics.estimates import LEVEL, Interval, spread
from sightline.metrics.units import Units


@dataclass(frozen=True)
class ShareEstimate:
    """Hits by trials, with an interval.

    Attributes:
        value: in [0, 1].
        interval: of it.
        errors: what each unit adds to the value's error, shape (G,).
    """

    value: float
    interval: Interval
    errors: np.ndarray


def mid_p(hits: float, of: float, level: float = LEVEL, method: str = "mid-P") -> Interval:
    """The mid-P interval (Lancaster 1961) of a share; counts need not be whole numbers.

    At its ends as many hits or more, or as many or fewer, have the probability (1 - level) / 2,
    where exactly as many count half; they count whole, as in Clopper & Pearson (1934), where there
    is no hit or no miss (so do Brown, Cai & DasGupta 2001 with Jeffreys' interval). Of 25 to 1,000
    trials it covers 92.7 % or more; Wilson's covers down to 84 % where hits or misses are few.
    """
    tail = (1 - level) / 2

    def at_least(share: float) -> float:
        some = special.betainc(hits, of - hits + 1, share)
        more = special.betainc(hits + 1, of - hits, share)
        return float(some + more) / 2

    if hits <= 0:
        return Interval(0.0, 1 - tail ** (1 / of), method)
    if hits >= of:
        return Interval(tail ** (1 / of), 1.0, method)
    return Interval(_crossing(at_least, tail), _crossing(at_least, 1 - tail), method)


def _crossing(rising: Callable[[float], float], level: float) -> float:
    """Where a rising function of a share has the value `level`."""
    return float(optimize.brentq(lambda share: rising(share) - level, 0.0, 1.0, xtol=1e-12))


def share_of(
    hits: np.ndarray, trials: np.ndarray, units: Units, level: float = LEVEL
) -> ShareEstimate | None:
    """A share, with the mid-P interval of its effective number of trials.

    This is the number of trials by the design effect (Rao & Scott 1992), reduced to the degrees of
    freedom of its estimate (Korn & Graubard 1998). Where no unit differs from another the units
    themselves are counted.

    Args:
        hits, trials: of each sample, shape (N,).
        units: that are independent.
        level: of confidence.

    Returns:
        None without a trial.
    """
    total, of = float(hits.sum()), float(trials.sum())
    if not of:
        return None
    name, share = f"mid-P, {units.name}", total / of
    errors = units.sum(hits - share * trials) / of
    if not units.grouped and trials.max() <= 1:
        return ShareEstimate(share, mid_p(total, of, level, name), errors)
    seen = units.sum(trials) > 0
    effective = float(seen.sum())
    if 0 < share < 1:
        effective = effective_trials(share, errors[seen], of, level)
    return ShareEstimate(share, mid_p(share * effective, effective, level, name), errors)


def effective_trials(share: float, errors: np.ndarray, most: float, level: float) -> float:
    """As many independent trials as would know a share in (0, 1) as well, at most `most`.

    Args:
        share: that was observed.
        errors: what each unit adds to its error, shape (G,).
        most: trials that there were.
        level: of confidence, at which the degrees of freedom of the error matter.
    """
    se, df = spread(errors)
    effect = se**2 * most / (share * (1 - share))
    if effect <= 1:
        return most
    z, t = special.ndtri((1 + level) / 2), special.stdtrit(df, (1 + level) / 2)
    return max(float(most / effect * (z / t) ** 2), 1.0)


def share_interval(
    hits: np.ndarray, trials: np.ndarray, units: Units, level: float = LEVEL
) -> Interval | None:
    """The interval of `share_of`."""
    found = share_of(hits, trials, units, level)
    return None if found is None else found.interval


def of_jaccard(share: Interval) -> Interval:
    """The interval of F1 = 2 J / (1 + J) from that of J, the hits by hits and mistakes."""
    low, high = (2 * each / (1 + each) for each in (share.low, share.high))
    return Interval(low, high, share.method)


def mean_interval(
    shares: Iterable[ShareEstimate], units: Units, level: float = LEVEL
) -> Interval | None:
    """The interval of the mean of C shares: the wider one of two, on either side.

    One is from the intervals of each share (Zou & Donner 2008): their distances to the ends add up
    as standard errors do, with the correlation of the shares' errors; a share without an error is
    taken as independent of the others. Of a few misses in each class these distances are too short,
    as none is longer than the misses. So the other one is the mid-P interval of a share with as
    many independent trials as know the mean as well, at most as many as there are samples.

    Returns:
        None without a share.
    """
    count, total, errors = 0, 0.0, np.zeros(units.count)
    together, alone = np.zeros((2, units.count)), np.zeros(2)  # to the lower, to the upper ends
    for each in shares:
        count, total, errors = count + 1, total + each.value, errors + each.errors
        distances = np.array([each.value - each.interval.low, each.interval.high - each.value])
        size = math.sqrt(float((each.errors**2).sum()))
        if size > 1e-12:
            together += distances[:, None] * (each.errors / size)
        else:
            alone += distances**2
    if not count:
        return None
    below, above = np.sqrt((together**2).sum(axis=1) + alone) / count
    mean = total / count
    low, high = float(mean - below), float(mean + above)
    if 0 < mean < 1:
        trials = effective_trials(mean, errors / count, len(units.codes), level)
        counted = mid_p(mean * trials, trials, level)
        low, high = min(low, counted.low), max(high, counted.high)
    return Interval(low, high, f"mid-P of classes, {units.name}")
