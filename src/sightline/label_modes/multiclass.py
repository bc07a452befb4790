"""Exactly one class an image: softmax over C outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.base import Count, one_a_class
from sightline.label_modes.logits import log_of, rescale_logits
from sightline.label_modes.measures import BLOCK, Confidences, log_loss
from sightline.label_modes.single_label import SingleLabel
from sightline.label_modes.softmax import SoftmaxCrossEntropy
from sightline.predictions import Predictions


class Multiclass(SingleLabel):
    """One of C classes; the decision is the most probable one."""

    name = "multiclass"
    exclusive = True

    @property
    def num_outputs(self) -> int:
        """One logit a class."""
        return len(self.class_names)

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse several labels an image, and a single class."""
        if targets.ndim != 1:
            raise UserError(
                f"label_mode=multiclass needs one class an image, but {where} gives each image "
                f"any of {targets.shape[1]} labels; use label_mode=multilabel."
            )
        if len(self.class_names) < 2:
            raise UserError(
                f"label_mode=multiclass needs at least 2 classes, but {where} has one: "
                f"{self.class_names[0]!r}."
            )

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Class indices as they are."""
        return targets.astype(np.int64)

    def criterion(self, weights: Tensor | None, label_smoothing: float) -> nn.Module:
        """Softmax cross-entropy."""
        return SoftmaxCrossEntropy(weight=weights, label_smoothing=label_smoothing)

    def weights(
        self, per_class: Sequence[float] | None, targets: np.ndarray, number_of: Count = np.asarray
    ) -> Tensor:
        """One weight a class; balanced: N / (C · count), as in scikit-learn."""
        if per_class is not None:
            return one_a_class(per_class, self.class_names)
        counts = np.bincount(targets, minlength=len(self.class_names))
        numbers = number_of(np.maximum(counts, 1))
        balanced = number_of(counts).sum() / (len(counts) * numbers)
        return torch.tensor(balanced, dtype=torch.float32)

    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and class indices (B,), or shares (B, C)."""
        return logits, target

    def soft(self, target: Tensor) -> Tensor:
        """One-hot rows."""
        return nn.functional.one_hot(target, len(self.class_names)).float()

    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Between the two most probable classes."""
        first, second = probs.topk(2, dim=1).values.unbind(1)
        return first - second

    def probs(self, logits: Tensor) -> Tensor:
        """Softmax over the classes."""
        return logits.float().softmax(dim=1)

    def logits(self, probs: Tensor) -> Tensor:
        """The logarithms."""
        return log_of(probs)

    def calibrate(
        self, probs: Tensor, temperature: float, biases: Sequence[float] | None = None
    ) -> Tensor:
        """The logits of all classes divided, and a bias added to each."""
        added = None if biases is None else torch.tensor(biases, dtype=torch.float64)
        return rescale_logits(probs, temperature, added)

    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Index of the most probable class; there are no thresholds."""
        assert thresholds is None, "multiclass has no thresholds"
        return probs.argmax(dim=1)

    @property
    def threshold_names(self) -> tuple[str, ...]:
        """None: the most probable class is decided."""
        return ()

    @property
    def scored_classes(self) -> slice:
        """All of them."""
        return slice(None)

    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """Of the most probable class (Guo et al. 2017); squared errors summed over classes."""
        confidence, decided = probs.max(dim=1)
        blocks = zip(probs.split(BLOCK), target.split(BLOCK), strict=True)
        errors = torch.cat([((p - self.soft(t)) ** 2).sum(dim=1) for p, t in blocks])
        return Confidences(
            confidence.numpy(),
            (decided == target).double().numpy(),
            log_loss(probs.gather(1, target[:, None])[:, 0]).numpy(),
            errors.numpy(),
        )

    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Empty: there are no thresholds."""
        return np.empty((len(predictions), 0)), np.empty((len(predictions), 0), np.int64)
