"""What is measured of a prediction table, in whichever label mode."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.counts import Counts
from sightline.predictions import Predictions

# From weights (N, R) of the samples to metrics of shape (R,), and per-class columns of (R, C).
Resampled = Callable[[np.ndarray], tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]
Thresholds = Sequence[float] | None  # None: the default decision


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of samples by target (rows) and decision (columns).

    Attributes:
        title: what the matrix is of; the label's name for a matrix of one label.
        counts: shape (R, C), integers; a matrix with `sums_to_n` sums to the samples counted.
        rows: names of the rows.
        columns: names of the columns.
        sums_to_n: False for the table of labels confused with each other, in which a sample can
            count several times or not at all.
    """

    title: str
    counts: np.ndarray
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    sums_to_n: bool = True


@dataclass(frozen=True)
class Confidences:
    """How sure the model was, and what came out; NaN where a target is not known.

    All of shape (N,), or (N, L) where each label is a question of its own.

    Attributes:
        confidence: the probability that is held to account: of the decided class, of the positive
            one, of each label.
        outcome: 1 where it came true, else 0.
        log_loss: minus the log-likelihood of the target.
        squared_error: between probabilities and target (Brier 1950).
    """

    confidence: np.ndarray
    outcome: np.ndarray
    log_loss: np.ndarray
    squared_error: np.ndarray


class Measures(ABC):
    """Metrics of tables; those of decisions take thresholds, over calibrated probabilities.

    Of a class that is absent from a table nothing is measured: its values are NaN, and averages
    leave it out.
    """

    @property
    @abstractmethod
    def num_thresholds(self) -> int:
        """How many there are: one for binary, a label each for multilabel, none for multiclass."""

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Headline metrics, each with its average in its name; NaN where undefined."""
        return self.decision_metrics(predictions) | self.ranking_metrics(predictions)

    @abstractmethod
    def decision_metrics(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, float]:
        """Headline metrics of decisions."""

    @abstractmethod
    def ranking_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Headline metrics of scores, whatever is decided."""

    @abstractmethod
    def further_metrics(self, predictions: Predictions) -> dict[str, float]:
        """What an evaluation says beyond the headline metrics, which every epoch says."""

    @abstractmethod
    def per_class(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, np.ndarray]:
        """Columns of the per-class table: support, precision, recall, f1, ..., each of length C."""

    @abstractmethod
    def confusion_matrices(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> list[ConfusionMatrix]:
        """What is mistaken for what."""

    @abstractmethod
    def proportions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, tuple[int, int]]:
        """Metrics that are a share of samples: how many, of how many."""

    @abstractmethod
    def counts(
        self, predictions: Predictions, weights: np.ndarray, thresholds: Thresholds = None
    ) -> Counts:
        """How decisions meet targets, under weights (N, R)."""

    @abstractmethod
    def resampled_decisions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> Resampled:
        """Metrics of decisions as functions of how often each sample is drawn."""

    @abstractmethod
    def resampled_ranking(self, predictions: Predictions) -> Resampled:
        """Likewise AUROC and average precision."""

    @abstractmethod
    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """What calibration is measured on.

        Args:
            probs: shape (N, C), double.
            target: encoded.
        """

    @abstractmethod
    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """What the T thresholds are put to: probabilities (N, T), targets of 0, 1 and MISSING."""


def to_tensors(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Probabilities (double, so that sums are exact to 1e-6) and integer targets of a table."""
    probs = torch.from_numpy(np.ascontiguousarray(predictions.probs)).double()
    return probs, torch.from_numpy(np.ascontiguousarray(predictions.targets)).long()


def log_loss(probability: Tensor) -> Tensor:
    """Minus the logarithm; 0 counts as the smallest step from 1, as in scikit-learn."""
    eps = torch.finfo(torch.float64).eps
    return -probability.double().clamp(eps, 1 - eps).log()
