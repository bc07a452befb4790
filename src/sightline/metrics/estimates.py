"""Intervals of single estimates: logit-DeLong and the jackknife's.

All take units (groups, or samples) as independent of each other. Student's t has as many degrees of
freedom as the spread of the units' contributions is known with (Satterthwaite 1946): a few
contributions that outweigh the others make an interval wide.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

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
# Least and greatest value of what each is for.
BOUNDS: dict[Scale, tuple[float, float]] = {
    "identity": (-math.inf, math.inf),
    "log": (0.0, math.inf),
    "logit": (0.0, 1.0),
    "fisher": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Interval:
    """An interval of a metric.

    Attributes:
        low: lower end.
        high: upper end.
        method: its name, and what it takes as independent: "mid-P, 200 samples".
        freedom: degrees of freedom of Student's t; infinite where the interval is none of it.
    """

    low: float
    high: float
    method: str
    freedom: float = math.inf


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
    half = se * float(special.stdtrit(df, (1 + level) / 2))
    low, high = SCALES[scale][1](np.array([middle - half, middle + half]))
    return Interval(float(low), float(high), method, df)


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
    return replace(found, low=min(found.low, value), high=max(found.high, value))


def delong_interval(
    classes: Iterable[Placements], units: Units, level: float = LEVEL
) -> Interval | None:
    """The interval of the mean AUROC of classes, on the logit scale, with DeLong's covariance.

    DeLong et al. (1988), over groups as in Obuchowski (1997). With few positives the placements'
    variance is often found too small; each side's is averaged with that of the exponential model
    (Hanley & McNeil 1982), which counts as one unit. Degrees of freedom are Welch's (1947), or
    those of `spread` where they are fewer: near 1 a few samples make up most of what is missing.
    """
    count, total, above, below, added = 0, 0.0, 0.0, 0.0, 0.0
    contributions = np.zeros(len(units.codes))
    for each in classes:  # one at a time, as many classes of many samples fill the memory
        count, area, total = count + 1, each.auroc, total + each.auroc
        contributions += each.contributions
        models = (2 * area**2 / (1 + area) - area**2, area / (2 - area) - area**2)
        for found, model, number in zip(each.variances, models, each.counts, strict=True):
            shrunk = (number * found + model / number) / (number + 1)
            added += shrunk - found
            above += shrunk
            below += shrunk**2 / (number - 1)
    if not count:
        return None
    per_unit = units.sum(contributions)
    mean, variance = total / count, (float((per_unit**2).sum()) + added) / count**2
    if not 0 < mean < 1 or variance <= 0:
        return None
    df = min(above**2 / below, spread(per_unit)[1])
    se = math.sqrt(variance) / (mean * (1 - mean))
    middle = math.log(mean / (1 - mean))
    return t_interval(middle, se, df, "logit", f"logit DeLong, {units.name}", level)
