"""The part of a label mode's contract that metrics rest on: answers, rates, counts, confidences."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.counts import Counts
from sightline.label_modes.ranked_scores import RankedScores
from sightline.predictions import Predictions

Average = Literal["micro", "weighted", "none"]
Thresholds = Sequence[float] | None  # None: the default decision
BLOCK = 4096  # rows of a table with many classes that are computed at a time


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of samples by target (rows) and decision (columns).

    Attributes:
        title: content of the matrix; the label's name for a matrix of one label.
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
    """Confidence and outcome of each answer; NaN where a target is not known.

    All of shape (N,), or (N, L) where each label is a question of its own.

    Attributes:
        confidence: the probability that calibration is computed of: of the decided class, of the
            positive one, of each label.
        outcome: 1 where it came true, else 0.
        log_loss: minus the log-likelihood of the target.
        squared_error: between probabilities and target (Brier 1950).
    """

    confidence: np.ndarray
    outcome: np.ndarray
    log_loss: np.ndarray
    squared_error: np.ndarray


class Measures(ABC):
    """Building blocks of metrics.

    Of a class that is absent from a table nothing is measured: its values are NaN, and averages
    leave it out.
    """

    class_names: tuple[str, ...]

    @property
    @abstractmethod
    def threshold_names(self) -> tuple[str, ...]:
        """The classes that are decided by a threshold of their own, in the thresholds' order."""

    @property
    @abstractmethod
    def scored_classes(self) -> slice:
        """The classes that the ranking metrics average over; in binary the positive one."""

    def thresholds_by_class(self, thresholds: Thresholds) -> dict[str, float]:
        """The thresholds by the name of their class; empty for the default decision."""
        if thresholds is None:
            return {}
        return dict(zip(self.threshold_names, thresholds, strict=True))

    @abstractmethod
    def answers(self, preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Answers that are right, and answers whose target is known: both (N, A), bool.

        A is 1 with one class a sample, and the number of labels with several.
        """

    def options(self, probs: Tensor) -> Tensor:
        """Probabilities (N, A, K), double, of the K options of each of A answers.

        With several labels each one's options are absent and present; with one class a sample
        there is one answer, and its options are the classes.
        """
        return torch.stack([1 - probs.double(), probs.double()], dim=-1)

    @abstractmethod
    def one_class(
        self, preds: np.ndarray, target: np.ndarray, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples decided to be of a class, samples of the class, and samples known not to be.

        All of shape (N,), bool; a sample whose target is not known is in none of them.
        """

    @abstractmethod
    def support(self, target: Tensor) -> Tensor:
        """Samples of each class, or that carry each label, shape (C,), integers."""

    @abstractmethod
    def rate(self, name: str, preds: Tensor, target: Tensor, average: Average) -> Tensor:
        """Precision, recall or F1 score, of torchmetrics.

        Args:
            name: precision, recall or f1.
            preds, target: encoded.
            average: micro, weighted, or none for one value a class, shape (C,).
        """

    @abstractmethod
    def counts(self, preds: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Counts:
        """Hits, decisions and samples of each class, under weights (N, R)."""

    @abstractmethod
    def ranked_scores(self, predictions: Predictions) -> list[RankedScores]:
        """Each class's scores against the rest."""

    @abstractmethod
    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """Confidence, outcome and losses of each answer.

        Args:
            probs: shape (N, C), double.
            target: encoded.
        """

    @abstractmethod
    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, T) that the T thresholds apply to, and targets of 0, 1 and MISSING."""

    @abstractmethod
    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Decisions in the form of encoded targets.

        Args:
            probs: shape (B, C); calibrated where thresholds are given.
            thresholds: over which a probability is a yes; None for 0.5, and for multiclass.
        """

    def confusion_matrices(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> list[ConfusionMatrix]:
        """Counts by target and decision; the table is calibrated where thresholds are given."""
        probs, target = to_tensors(predictions)
        return self.matrices(self.decide(probs, thresholds), target)

    @abstractmethod
    def matrices(self, preds: Tensor, target: Tensor) -> list[ConfusionMatrix]:
        """Counts by target and decision, both encoded."""


def to_tensors(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Probabilities (double, so that sums are exact to 1e-6) and integer targets of a table."""
    return double_probs(predictions), integer_targets(predictions)


def double_probs(predictions: Predictions) -> Tensor:
    """Probabilities of a table, shape (N, C), double."""
    return torch.from_numpy(np.ascontiguousarray(predictions.probs)).double()


def integer_targets(predictions: Predictions) -> Tensor:
    """Targets of a table, shape (N,) or (N, C)."""
    return torch.from_numpy(np.ascontiguousarray(predictions.targets)).long()


def log_loss(probability: Tensor) -> Tensor:
    """Minus the logarithm; 0 counts as the smallest step from 1, as in scikit-learn."""
    eps = torch.finfo(torch.float64).eps
    return -probability.double().clamp(eps, 1 - eps).log()
