"""Disagreement of an ensemble's members: the mutual information of decision and member."""

import numpy as np

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.predictions import Predictions


def mutual_information(
    label_mode: LabelMode, members: list[Predictions], weights: np.ndarray
) -> np.ndarray:
    """The entropy of the mean minus the mean entropy, shape (N,), in nats, at least 0.

    It is what the members do not agree on: 0 where all say the same, however unsure they are
    (Depeweg et al. 2018; Smith and Gal 2018). Of several labels the sum over them.

    Args:
        label_mode: of the tables.
        members: tables of the same samples.
        weights: of each, shape (M,), summing to 1.
    """
    options = np.stack([label_mode.options(to_tensors(each)[0]).numpy() for each in members])
    mean = np.tensordot(weights, options, axes=1)
    within = np.tensordot(weights, entropy(options), axes=1)
    return np.asarray(np.maximum(entropy(mean) - within, 0))


def entropy(options: np.ndarray) -> np.ndarray:
    """The entropy of probabilities (..., N, A, K), summed over the A answers, in nats: (..., N)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(options > 0, options * np.log(options), 0.0)
    return np.asarray(-parts.sum(axis=(-1, -2)))
