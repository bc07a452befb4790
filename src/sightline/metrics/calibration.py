"""Calibration: reliability diagrams, and one temperature fitted on val."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import to_tensors
from sightline.metrics.decided import DecidedTable
from sightline.metrics.definitions.calibration_error import BINS
from sightline.metrics.registry import registry_of
from sightline.metrics.values import values_of
from sightline.predictions import Predictions

TEMPERATURES = (0.05, 20.0)  # the range that is searched


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: the accuracy of answers by their confidence.

    Attributes:
        edges: shape (B + 1,), of the bins of confidence.
        count: shape (B,), probabilities in each bin.
        confidence: their mean, shape (B,); NaN in an empty bin.
        accuracy: the share that came true, shape (B,); NaN in an empty bin.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def calibrated(
    label_mode: LabelMode, table: Predictions, temperature: float,
    biases: tuple[float, ...] | None = None,
) -> Predictions:  # fmt: skip
    """The table with calibrated probabilities, double."""
    probs = label_mode.calibrate(torch.from_numpy(table.probs), temperature, biases)
    return replace(table, probs=probs.numpy())


def calibration_metrics(label_mode: LabelMode, table: Predictions) -> dict[str, float]:
    """Sightline's own metrics of probabilities; NaN where no target is known."""
    metrics = registry_of().of(label_mode, "headline", "probabilities")
    return values_of(metrics, DecidedTable(label_mode, table))


def reliability(label_mode: LabelMode, table: Predictions, bins: int = BINS) -> Reliability:
    """The data of a reliability diagram, over bins of equal width."""
    found = DecidedTable(label_mode, table).confidences
    known = ~np.isnan(found.outcome)
    confidence, outcome = found.confidence[known], found.outcome[known]
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            np.linspace(0, 1, bins + 1),
            count,
            np.bincount(place, confidence, minlength=bins) / count,
            np.bincount(place, outcome, minlength=bins) / count,
        )


def fit_temperature(label_mode: LabelMode, table: Predictions) -> float:
    """The temperature with the least log loss (Guo et al. 2017).

    It is 1 where val cannot determine it: no target is known, or every decision is right, so that
    the loss falls without end as the probabilities approach 0 and 1.

    Args:
        label_mode: of the table.
        table: of val, never of test.
    """
    probs, target = to_tensors(table)

    def loss(log_temperature: float) -> float:
        divided = label_mode.calibrate(probs, float(np.exp(log_temperature)))
        return float(np.nanmean(label_mode.confidences(divided, target).log_loss))

    right, known = DecidedTable(label_mode, table).answers
    if right[known].all():
        return 1.0
    limits = np.log(TEMPERATURES)
    best = minimize_scalar(loss, bounds=tuple(limits), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))
