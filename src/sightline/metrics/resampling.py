"""Bootstrap resamples of a table: weights, and a metric's values on them."""

from collections.abc import Iterator

import numpy as np

from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric

HELD = 2e6  # weights that are held at a time: what a processor's cache takes


def draw(
    samples: int, resamples: int, seed: int, groups: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """How often each sample is drawn: float32 of shape (N, R), as many R at a time as fit.

    Args:
        samples: N.
        resamples: R in all.
        seed: of the draws.
        groups: shape (N,), of samples that are not independent of each other: whole groups are
            drawn, as many as there are (Field & Welsh 2007), so that a resample may have more or
            fewer samples than the table. None: samples are drawn.
    """
    rng = np.random.default_rng(seed)
    found, codes = (None, None) if groups is None else np.unique(groups, return_inverse=True)
    units = samples if found is None else len(found)
    step = int(np.clip(HELD / samples, 1, resamples))
    for start in range(0, resamples, step):
        chunk = np.empty((min(step, resamples - start), samples), np.float32)
        for row in chunk:
            times = np.bincount(rng.integers(0, units, units), minlength=units)
            row[:] = times if codes is None else times[codes]
        yield np.ascontiguousarray(chunk.T)


def values_on(weights: np.ndarray, metric: Metric, table: DecidedTable) -> np.ndarray:
    """The metric of each resample, shape (R,); NaN where it is undefined.

    A metric without a resampled form is computed of one repeated table at a time, which is slow.

    Args:
        weights: how often each sample is drawn, shape (N, R).
        metric: for the table's label mode.
        table: N samples.
    """
    if metric.not_resampled is None:
        return metric.resampled(table.resample(weights))
    return np.array([metric.value(table.repeat(column)) for column in weights.T])
