"""The family of label modes where each sample belongs to exactly one class."""

import numpy as np
import torch
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.label_modes.counts import ClassCounts
from sightline.label_modes.measures import Average, ConfusionMatrix
from sightline.label_modes.ranked_scores import RankedScores
from sightline.predictions import Predictions


class SingleLabel(LabelMode):
    """Targets and decisions are class indices."""

    family = "single_label"

    def answers(self, preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """One answer a sample, and every target is known."""
        right = (preds == target)[:, None]
        return right, torch.ones_like(right)

    def options(self, probs: Tensor) -> Tensor:
        """All classes."""
        return probs.double()[:, None, :]

    def one_class(
        self, preds: np.ndarray, target: np.ndarray, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One class against the others."""
        present = target == index
        return preds == index, present, ~present

    def support(self, target: Tensor) -> Tensor:
        """Samples of each class."""
        return torch.bincount(target, minlength=len(self.class_names))

    def rate(self, name: str, preds: Tensor, target: Tensor, average: Average) -> Tensor:
        """One class against the others."""
        from torchmetrics.functional import classification  # 3 s and 240 MiB, not of every command

        rates = {
            "precision": classification.multiclass_precision,
            "recall": classification.multiclass_recall,
            "f1": classification.multiclass_f1_score,
        }
        value: Tensor = rates[name](preds, target, len(self.class_names), average=average)
        return value

    def counts(self, preds: np.ndarray, target: np.ndarray, weights: np.ndarray) -> ClassCounts:
        """Of all classes, also in binary."""
        return ClassCounts.of(preds, target, len(self.class_names), weights)

    def ranked_scores(self, predictions: Predictions) -> list[RankedScores]:
        """Each class against the others."""
        targets, probs = predictions.targets, predictions.probs
        return [RankedScores(column, targets == i) for i, column in enumerate(probs.T)]

    def matrices(self, preds: Tensor, target: Tensor) -> list[ConfusionMatrix]:
        """One C×C matrix."""
        count = len(self.class_names)
        cells = target * count + preds
        counts = torch.bincount(cells, minlength=count * count).reshape(count, count)
        return [ConfusionMatrix("classes", counts.numpy(), self.class_names, self.class_names)]
