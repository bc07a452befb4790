"""95 % intervals of metrics: a bootstrap over samples, and Wilson's for few hits or misses.

The bootstrap (Efron 1979) draws the samples of the table with replacement, and the interval is
between the 2.5th and the 97.5th percentile of what the metric then is. It holds as far as the
samples are independent of each other and enough of them are right and wrong; for a proportion
where they are not enough, Wilson's interval (1927) does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from sightline.label_modes.base import LabelMode
from sightline.label_modes.counts import Counts, divide
from sightline.label_modes.measures import Resampled
from sightline.metrics.calibration import calibrated, confidences_of
from sightline.metrics.resampling import draw
from sightline.metrics.tuning import CALIBRATED, TUNED, Tuning
from sightline.predictions import Predictions

LEVEL = 0.95
RESAMPLES = 1000
FEWEST = 100  # of a table so large that a thousand would take minutes
WORK = 4e9  # weights times classes that are summed in about 10 s
FEW = 30  # hits or misses below which a proportion has Wilson's interval


@dataclass(frozen=True)
class Interval:
    """Where a metric lies with 95 % confidence.

    Attributes:
        low: lower end.
        high: upper end.
        method: bootstrap or wilson.
    """

    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Intervals:
    """The intervals of a table's metrics.

    Attributes:
        metrics: by name; without those that have none, because no resample gives another value.
        per_class: by column of the per-class table, then by class; None where there is none.
        resamples: how many were drawn.
    """

    metrics: dict[str, Interval]
    per_class: dict[str, list[Interval | None]]
    resamples: int


def compute_intervals(
    label_mode: LabelMode,
    table: Predictions,
    tuning: Tuning | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Intervals of the metrics that `evaluate_table` names.

    Args:
        label_mode: measures.
        table: N samples, independent of each other; uncalibrated.
        tuning: of the model; None: untuned.
        resamples: fewer are drawn where so many would take minutes.
        seed: of the draws.
    """
    tuning = tuning or Tuning()
    resamples = min(resamples, max(FEWEST, int(WORK / (len(table) * len(table.class_names)))))
    proportions = label_mode.proportions(table)
    measures = [
        ("", label_mode.resampled_decisions(table)),
        ("", label_mode.resampled_ranking(table)),
        ("", resampled_losses(label_mode, table)),
    ]
    tuned = calibrated(label_mode, table, tuning.temperature)
    if tuning.temperature != 1:
        measures.append((CALIBRATED, resampled_losses(label_mode, tuned)))
    if tuning.thresholds is not None:
        measures.append((TUNED, label_mode.resampled_decisions(tuned, tuning.thresholds)))
        of_tuned = label_mode.proportions(tuned, tuning.thresholds)
        proportions |= {name + TUNED: share for name, share in of_tuned.items()}
    metrics, columns = _resample(measures, draw(len(table), resamples, seed))
    intervals = {name: each for name, v in metrics.items() if (each := percentiles(v)) is not None}
    for name, (hits, of) in proportions.items():
        if of and min(hits, of - hits) < FEW:
            intervals[name] = wilson(hits, of)
    per_class = {name: [percentiles(each) for each in c.T] for name, c in columns.items()}
    ones = np.ones((len(table), 1), np.float32)
    return Intervals(intervals, per_class | _of_rates(label_mode.counts(table, ones)), resamples)


def _resample(
    measures: list[tuple[str, Resampled]], drawn: Iterator[np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Metrics (R,) and per-class columns (R, C) of all resamples; the latter untuned."""
    metrics: dict[str, list[np.ndarray]] = {}
    columns: dict[str, list[np.ndarray]] = {}
    for weights in drawn:
        for suffix, measure in measures:
            values, per_class = measure(weights)
            for name, value in values.items():
                metrics.setdefault(name + suffix, []).append(value)
            for name, value in per_class.items() if not suffix else ():
                columns.setdefault(name, []).append(value)
    return (
        {name: np.concatenate(parts) for name, parts in metrics.items()},
        {name: np.concatenate(parts) for name, parts in columns.items()},
    )


def _of_rates(counts: Counts) -> dict[str, list[Interval | None]]:
    """Precision and recall of a class are proportions, and often of few samples."""
    there = counts.support[0] > 0
    return {
        name: [
            wilson(int(hits), int(n)) if n and known else None
            for hits, n, known in zip(counts.hits[0], of[0], there, strict=True)
        ]
        for name, of in (("precision", counts.predicted), ("recall", counts.support))
    }


def wilson(hits: int, of: int) -> Interval:
    """Wilson's interval of a proportion."""
    found = binomtest(hits, of).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high), "wilson")


def percentiles(values: np.ndarray) -> Interval | None:
    """Of the resamples in which the metric is defined; None where they are all the same."""
    defined = values[~np.isnan(values)]
    if len(defined) < len(values) / 2 or np.ptp(defined) == 0:
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(float(low), float(high), "bootstrap")


def resampled_losses(label_mode: LabelMode, table: Predictions) -> Resampled:
    """Log loss and Brier score as functions of how often each sample is drawn.

    Not the calibration error: resampling would inflate it.
    """
    found = confidences_of(label_mode, table)
    rows = found.outcome.reshape(len(table), -1)
    counts = (~np.isnan(rows)).sum(axis=1).astype(np.float64)
    sums = {
        name: np.nansum(each.reshape(rows.shape), axis=1)
        for name, each in (("log_loss", found.log_loss), ("brier", found.squared_error))
    }

    def measure(weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        total = counts @ weights
        return {name: divide(each @ weights, total) for name, each in sums.items()}, {}

    return measure
