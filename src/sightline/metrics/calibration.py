"""Whether probabilities mean what they say, and one temperature that makes them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torchmetrics.functional.classification import binary_calibration_error

from sightline.label_modes.base import LabelMode
from sightline.label_modes.measures import Confidences, to_tensors
from sightline.predictions import Predictions

CALIBRATION = ("log_loss", "brier", "ece")  # the metrics of this module
BINS = 15  # of equal width, as in Guo et al.
TEMPERATURES = (0.05, 20.0)  # where the best one is looked for


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: how often what was held so likely came true.

    Attributes:
        edges: shape (B + 1,), of the bins of confidence.
        count: shape (B,), probabilities in each bin.
        confidence: their mean, shape (B,); NaN in an empty bin.
        accuracy: how many of them came true, shape (B,); NaN in an empty bin.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def calibrated(label_mode: LabelMode, table: Predictions, temperature: float) -> Predictions:
    """The table with calibrated probabilities, double."""
    probs = label_mode.calibrate(torch.from_numpy(table.probs), temperature)
    return replace(table, probs=probs.numpy())


def calibration_metrics(label_mode: LabelMode, table: Predictions) -> dict[str, float]:
    """Log loss, Brier score and expected calibration error (15 bins); NaN where nothing is known.

    The error is of the decided class's probability in multiclass, of the positive class's in
    binary, and over all known labels together in multilabel.
    """
    found = confidences_of(label_mode, table)
    known = ~np.isnan(found.outcome)
    if not known.any():
        return dict.fromkeys(CALIBRATION, float("nan"))
    error = binary_calibration_error(
        torch.from_numpy(found.confidence[known]),
        torch.from_numpy(found.outcome[known]).long(),
        n_bins=BINS,
    )
    return {
        "log_loss": float(found.log_loss[known].mean()),
        "brier": float(found.squared_error[known].mean()),
        "ece": float(error),
    }


def reliability(label_mode: LabelMode, table: Predictions, bins: int = BINS) -> Reliability:
    """The data of a reliability diagram, over bins of equal width."""
    found = confidences_of(label_mode, table)
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

    It is 1 where val cannot tell: nothing is known of it, or all of it is decided rightly, so that
    the loss falls without an end as the probabilities turn to 0 and 1.

    Args:
        label_mode: calibrates.
        table: of val, never of test.
    """
    probs, target = to_tensors(table)

    def loss(log_temperature: float) -> float:
        divided = label_mode.calibrate(probs, float(np.exp(log_temperature)))
        return float(np.nanmean(label_mode.confidences(divided, target).log_loss))

    known = table.targets >= 0
    if (label_mode.decide(probs).numpy() == table.targets)[known].all():
        return 1.0
    limits = np.log(TEMPERATURES)
    best = minimize_scalar(loss, bounds=tuple(limits), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


def confidences_of(label_mode: LabelMode, table: Predictions) -> Confidences:
    """What calibration is measured on."""
    return label_mode.confidences(*to_tensors(table))
