"""Bootstrap resamples of a table: weights, and a metric's values on them."""

from collections.abc import Iterator

import numpy as np

from sightline.metrics.decided import DecidedTable
from sightline.metrics.metric import Metric

HELD = 2e6  # weights that are held at a time: what a processor's cache takes


def draw(samples: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each sample is drawn: float32 of shape (N, R), as many R at a time as fit."""
    rng = np.random.default_rng(seed)
    step = int(np.clip(HELD / samples, 1, resamples))
    for start in range(0, resamples, step):
        chunk = np.empty((min(step, resamples - start), samples), np.float32)
        for row in chunk:
            row[:] = np.bincount(rng.integers(0, samples, samples), minlength=samples)
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
