"""Intervals of single estimates: Wilson's, logit-DeLong and the jackknife's.

All take units (groups, or samples) as independent of each other. Student's t has as many degrees of
freedom as the spread of the units' contributions is known with (Satterthwaite 1946): a few
contributions that outweigh the others make an interval wide.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special, stats

from sightline.label_modes.ranked_scores import Placements
from sightline.metrics.units import Units

LEVEL = 0.95

# Where estimates are nearly normal: logit of what lies in [0, 1], log of what is over 0, Fisher's z
# of what lies in [-1, 1].
Scale = Literal["identity", "log", "logit", "fisher"]
Transform = Callable[[np.ndarray], np.ndarray]
# By scale: a transformation to the whole line, on which estimates are more nearly normal, and back.
SCALES: dict[Scale, tuple[Transform, Transform]] = {
    "identity": (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    "logit": (special.logit, special.expit),
    "fisher": (np.arctanh, np.tanh),
}


@dataclass(frozen=True)
class Interval:
    """An interval of a metric.

    Attributes:
        low: lower end.
        high: upper end.
        method: its name, and what it takes as independent: "wilson, 200 samples".
    """

    low: float
    high: float
    method: str


def wilson(hits: float, of: float, level: float = LEVEL, method: str = "wilson") -> Interval:
    """Wilson's interval (1927) of a proportion; hits and trials need not be whole numbers."""
    z = float(stats.norm.ppf((1 + level) / 2))
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = float(middle - half), float(middle + half)
    return Interval(0.0 if hits == 0 else low, 1.0 if hits == of else high, method)


def share_interval(
    hits: np.ndarray, trials: np.ndarray, units: Units, level: float = LEVEL
) -> Interval | None:
    """Wilson's interval of hits by trials, over the effective number of trials.

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
    name = f"wilson, {units.name}"
    if not units.grouped and trials.max() <= 1:
        return wilson(total, of, level, name)
    share = total / of
    per_unit = units.sum(trials)
    seen = per_unit > 0
    count = int(seen.sum())
    if share in (0, 1):
        return wilson(share * count, count, level, name)
    errors = units.sum(hits - share * trials)[seen] / of
    se, df = spread(errors)
    effect = max(1.0, se**2 * of / (share * (1 - share)))
    z, t = stats.norm.ppf((1 + level) / 2), stats.t.ppf((1 + level) / 2, df)
    effective = max(of / effect * (z / t) ** 2, 1.0) if effect > 1 else of
    return wilson(share * effective, effective, level, name)


def of_jaccard(share: Interval) -> Interval:
    """The interval of F1 = 2 J / (1 + J) from that of J, the hits by hits and mistakes."""
    low, high = (2 * each / (1 + each) for each in (share.low, share.high))
    return Interval(low, high, share.method)


def spread(contributions: np.ndarray) -> tuple[float, float]:
    """Standard error of a sum of G independent contributions of mean 0, and degrees of freedom.

    With kurtosis k the variance of a variance is about (k - 1) / G of its square, that of one with
    2 G / (k - 1) degrees of freedom.
    """
    count = len(contributions)
    squares = float((contributions**2).sum())
    if count < 2 or squares == 0:
        return 0.0, 1.0
    kurtosis = count * float((contributions**4).sum()) / squares**2
    df = 2 * count / max(kurtosis - 1, 2 / count)
    return math.sqrt(squares * count / (count - 1)), float(np.clip(df, 1, count - 1))


def t_interval(
    middle: float, se: float, df: float, scale: Scale, method: str, level: float = LEVEL
) -> Interval:
    """Student's interval of an estimate on a scale, in the metric's unit.

    Args:
        middle: the estimate, on the scale.
        se: its standard error, on the scale.
        df: degrees of freedom.
        scale: of the metric.
        method: name of the interval.
        level: of confidence.
    """
    half = se * float(stats.t.ppf((1 + level) / 2, df))
    low, high = SCALES[scale][1](np.array([middle - half, middle + half]))
    return Interval(float(low), float(high), method)


def jackknife_interval(
    value: float, left_out: np.ndarray, scale: Scale, units: Units, level: float = LEVEL
) -> Interval | None:
    """The jackknife's interval (Tukey 1958), on a scale where the estimate is nearly normal.

    The bias is taken off (Quenouille 1956): a macro average over many classes of few samples is
    off by more than it varies. The value itself is never left out.

    Args:
        value: of the table.
        left_out: the metric without each of B blocks of units, shape (B,).
        scale: of the metric.
        units: that the blocks consist of.
        level: of confidence.

    Returns:
        None where the metric does not vary, or is at its bound without one of the blocks.
    """
    to, _ = SCALES[scale]
    with np.errstate(divide="ignore", invalid="ignore"):
        values, middle = to(left_out.astype(np.float64)), float(to(np.array(value)))
    if not np.isfinite(values).all() or not math.isfinite(middle) or np.ptp(values) < 1e-12:
        return None
    count = len(values)
    se, df = spread(values - values.mean())
    se *= (count - 1) / count
    bias = (count - 1) * (float(values.mean()) - middle)
    found = t_interval(middle - bias, se, df, scale, f"jackknife, {units.name}", level)
    return Interval(min(found.low, value), max(found.high, value), found.method)


def delong_interval(
    classes: Iterable[Placements], units: Units, level: float = LEVEL
) -> Interval | None:
    """The interval of the mean AUROC of classes, on the logit scale, with DeLong's covariance.

    DeLong et al. (1988), over groups as in Obuchowski (1997). With few positives the placements'
    variance is often found too small; each side's is averaged with that of the exponential model
    (Hanley & McNeil 1982), which counts as one sample. Degrees of freedom as in Welch (1947).
    """
    count, total, above, below, added = 0, 0.0, 0.0, 0.0, 0.0
    contributions = np.zeros(len(units.codes))
    for each in classes:  # one at a time, as many classes of many samples fill the memory
        count, area, total = count + 1, each.auroc, total + each.auroc
        contributions += each.contributions
        models = (2 * area**2 / (1 + area) - area**2, area / (2 - area) - area**2)
        for found, model, samples in zip(each.variances, models, each.counts, strict=True):
            shrunk = (samples * found + model / samples) / (samples + 1)
            added += shrunk - found
            above += shrunk
            below += shrunk**2 / (samples - 1)
    if not count:
        return None
    mean, variance = total / count, float((units.sum(contributions) ** 2).sum())
    if units.grouped:
        variance *= units.count / (units.count - 1)
    variance = (variance + added) / count**2
    if not 0 < mean < 1 or variance <= 0:
        return None
    df = min(above**2 / below, units.count - 1)
    se = math.sqrt(variance) / (mean * (1 - mean))
    middle = math.log(mean / (1 - mean))
    return t_interval(middle, se, df, "logit", f"logit DeLong, {units.name}", level)
