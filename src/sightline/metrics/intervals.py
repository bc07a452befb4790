"""95 % intervals of metrics: a bootstrap over samples, and Wilson's for few hits or misses.

The bootstrap (Efron 1979) draws the samples of the table with replacement; the interval is from the
2.5th to the 97.5th percentile of the metric over these resamples. It assumes that the samples are
independent of each other, and that enough of them are right and wrong. A proportion of fewer hits
or misses has Wilson's interval (1927).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from sightline.label_modes.base import LabelMode
from sightline.label_modes.counts import Counts
from sightline.metrics.metric_sets import MetricSet, metric_sets
from sightline.metrics.resampling import draw
from sightline.metrics.tuning import Tuning
from sightline.predictions import Predictions

LEVEL = 0.95
RESAMPLES = 1000
FEWEST = 100  # of a table so large that a thousand would take minutes
WORK = 4e9  # weights times classes that are summed in about 10 s
FEW = 30  # hits or misses below which a proportion has Wilson's interval


@dataclass(frozen=True)
class Interval:
    """A 95 % interval of a metric.

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
    plugins: Sequence[str] = (),
) -> Intervals:
    """Intervals of the metrics that `evaluate_table` names.

    Args:
        label_mode: of the table.
        table: N samples, independent of each other; uncalibrated.
        tuning: of the model; None: untuned.
        resamples: fewer are drawn where so many would take minutes.
        seed: of the draws.
        plugins: packages with metrics of their own.
    """
    parts = metric_sets(label_mode, table, tuning or Tuning(), plugins)
    return intervals_of(parts, resamples, seed)


def intervals_of(parts: Sequence[MetricSet], resamples: int, seed: int = 0) -> Intervals:
    """Intervals of metric sets of one table, of which the first is the untuned one."""
    table = parts[0].table.predictions
    resamples = min(resamples, max(FEWEST, int(WORK / (len(table) * len(table.class_names)))))
    metrics, columns = _resample(parts, draw(len(table), resamples, seed))
    intervals = {name: each for name, v in metrics.items() if (each := percentiles(v)) is not None}
    for part in parts:
        for metric in part.metrics:
            hits, of = metric.proportion(part.table) or (0, 0)
            if of and min(hits, of - hits) < FEW:
                intervals[metric.name + part.suffix] = wilson(hits, of)
    per_class = {name: [percentiles(each) for each in c.T] for name, c in columns.items()}
    return Intervals(intervals, per_class | _of_rates(parts[0].table.counts), resamples)


def _resample(
    parts: Sequence[MetricSet], drawn: Iterator[np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Metrics (R,) and per-class columns (R, C) of all resamples; the latter untuned."""
    metrics: dict[str, list[np.ndarray]] = {}
    columns: dict[str, list[np.ndarray]] = {}
    for weights in drawn:
        for part in parts:
            sample = part.table.resample(weights)
            for metric in part.metrics:
                if metric.not_resampled is None:
                    values = metrics.setdefault(metric.name + part.suffix, [])
                    values.append(metric.resampled(sample))
            for name, value in (sample.rates | sample.areas).items() if not part.suffix else ():
                columns.setdefault(name, []).append(value)
    return (
        {name: np.concatenate(values) for name, values in metrics.items()},
        {name: np.concatenate(values) for name, values in columns.items()},
    )


def _of_rates(counts: Counts) -> dict[str, list[Interval | None]]:
    """Precision and recall of a class are proportions, and often of few samples."""
    there = counts.support[0] > 0
    return {
        name: [
            wilson(int(hits), int(n)) if n and known else None
            for hits, n, known in zip(counts.hits[0], of[0], there, strict=True)
        ]
        for name, of in counts.trials.items()
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
