"""Resamples of a table: how often each of its samples is drawn."""

from collections.abc import Iterator

import numpy as np

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
