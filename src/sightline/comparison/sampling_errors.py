"""Sampling errors of values on the same samples, which may come in groups."""

from collections.abc import Iterator

import numpy as np

from sightline.metrics.resampling import draw


def covariance_of_shares(right: np.ndarray, codes: np.ndarray | None, first: int) -> np.ndarray:
    """The covariance of shares of the same samples.

    Near 0 and 1 it would be too small, so samples are added as Agresti & Coull (1998) do for one
    share (two that all runs decide rightly, two that none does), and Agresti & Min (2005) for two
    (half a sample for each of the four outcomes).

    Args:
        right: shape (k, M), 1 where a run is right.
        codes: shape (M,), groups of samples; None where each is by itself.
        first: how many of the runs are of the first config.
    """
    runs, samples = right.shape
    means = right.mean(axis=1)
    errors = right - means[:, None]
    if codes is not None:
        errors = np.stack([np.bincount(codes, row) for row in errors])
    units = errors.shape[1]
    one_config = first == runs
    outcomes = [(1, 1), (0, 0)] if one_config else [(1, 1), (0, 0), (1, 0), (0, 1)]
    added = np.array([np.repeat(each, (first, runs - first)) for each in outcomes]).T
    added = (added - means[:, None]) * np.sqrt(2 if one_config else 0.5)
    whole: np.ndarray = errors @ errors.T * units / (units - 1) + added @ added.T
    return whole / samples**2


def group_codes(groups: np.ndarray | None) -> np.ndarray | None:
    """Groups numbered from 0; None where none has two samples."""
    if groups is None:
        return None
    distinct, codes = np.unique(groups, return_inverse=True)
    return codes if len(distinct) < len(groups) else None


def draw_samples(
    codes: np.ndarray | None, samples: int, resamples: int, seed: int
) -> Iterator[np.ndarray]:
    """Weights of the samples, shape (N, R); whole groups are drawn where there are some."""
    if codes is None:
        yield from draw(samples, resamples, seed)
        return
    for weights in draw(int(codes.max()) + 1, resamples, seed):
        yield weights[codes]
