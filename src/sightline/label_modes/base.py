"""The contract of a label mode."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from sightline.predictions import Predictions


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


class LabelMode(ABC):
    """Answers every question that depends on the kind of label.

    Args:
        class_names: the names that the data source found, in its order.

    Raises:
        UserError: (`check`) the data's targets are of another kind.
    """

    name: ClassVar[str]

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Width of the model's last layer."""

    @abstractmethod
    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse targets (as the source gives them) that this mode cannot mean."""

    @abstractmethod
    def encode(self, targets: np.ndarray) -> np.ndarray:
        """The source's targets as training and prediction tables hold them."""

    @abstractmethod
    def criterion(self) -> nn.Module:
        """The default loss, of `loss_inputs`."""

    @abstractmethod
    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of shape (B, num_outputs) and targets, in the shape and type losses take."""

    @abstractmethod
    def probs(self, logits: Tensor) -> Tensor:
        """Probabilities of shape (B, C), float32, from logits of shape (B, num_outputs)."""

    @abstractmethod
    def decide(self, probs: Tensor) -> Tensor:
        """Decisions in the form of encoded targets."""

    @abstractmethod
    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Metrics of a table, each with its average in its name; NaN where undefined."""

    @abstractmethod
    def per_class(self, predictions: Predictions) -> dict[str, np.ndarray]:
        """Columns of the per-class table: support, precision, recall, f1, ..., each of length C."""

    @abstractmethod
    def confusion_matrices(self, predictions: Predictions) -> list[ConfusionMatrix]:
        """What is mistaken for what."""

    def settings(self) -> dict[str, str]:
        """What was decided beyond the class names, to be logged as parameters."""
        return {}

    def describe(self) -> str:
        """One line for the terminal and the run's note."""
        names = ", ".join(self.class_names[:10]) + (", …" if len(self.class_names) > 10 else "")
        return f"{self.name}, {len(self.class_names)} classes: {names}"

    def count(self, targets: np.ndarray) -> dict[str, int]:
        """Samples of each class (or carrying each label) among encoded targets."""
        if targets.ndim == 2:
            counts = targets.sum(axis=0)
        else:
            counts = np.bincount(targets, minlength=len(self.class_names))
        return {n: int(c) for n, c in zip(self.class_names, counts, strict=True)}

    def examples(self, target: Tensor) -> str:
        """One encoded target in words, for a picture's caption."""
        if target.ndim == 0:
            return self.class_names[int(target)]
        return " ".join(self.class_names[i] for i in target.nonzero().flatten().tolist())


def to_tensors(predictions: Predictions) -> tuple[Tensor, Tensor]:
    """Probabilities (double, so that sums are exact to 1e-6) and integer targets of a table."""
    import torch

    probs = torch.from_numpy(np.ascontiguousarray(predictions.probs)).double()
    return probs, torch.from_numpy(np.ascontiguousarray(predictions.targets)).long()
