"""Two classes, one of them positive: one logit and a sigmoid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import UserError, did_you_mean
from sightline.label_modes.base import Count, one_a_class
from sightline.label_modes.logits import log_of, rescale_logits
from sightline.label_modes.measures import Confidences, log_loss
from sightline.label_modes.sigmoid import SigmoidCrossEntropy
from sightline.label_modes.single_label import SingleLabel
from sightline.predictions import Predictions


class Binary(SingleLabel):
    """Positive or not. The class names are put in the order (negative, positive).

    Args:
        class_names: the two names, in the source's order.
        positive_class: the name that counts as positive; None for the second.
    """

    name = "binary"
    main_metrics = ("accuracy", "precision", "recall", "auroc_macro", "average_precision_macro")

    def __init__(self, class_names: tuple[str, ...], positive_class: str | None) -> None:
        source_names = tuple(class_names)
        positive = source_names[-1] if positive_class is None else str(positive_class)
        if len(source_names) == 2 and positive not in source_names:
            raise UserError(
                f"label_mode.positive_class={positive}: expected one of the classes "
                f"{source_names[0]!r} and {source_names[1]!r}."
                f"{did_you_mean(positive, source_names)}"
            )
        super().__init__((*(name for name in source_names if name != positive), positive))
        self.positive_class = positive
        self._swapped = source_names != self.class_names

    @classmethod
    def stored_arguments(
        cls, class_names: tuple[str, ...], arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """The positive class is the last of the stored names."""
        return arguments | {"positive_class": class_names[-1]}

    @property
    def num_outputs(self) -> int:
        """One logit, of the positive class."""
        return 1

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse several labels an image, and any number of classes but two."""
        if targets.ndim != 1:
            raise UserError(
                f"label_mode=binary needs one class an image, but {where} gives each image any "
                f"of {targets.shape[1]} labels; use label_mode=multilabel."
            )
        if len(self.class_names) != 2:
            names = ", ".join(self.class_names[:10])
            raise UserError(
                f"label_mode=binary needs exactly 2 classes, but {where} has "
                f"{len(self.class_names)}: {names}; use label_mode=multiclass."
            )

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """1 for the positive class."""
        targets = targets.astype(np.int64)
        return 1 - targets if self._swapped else targets

    def criterion(self, weights: Tensor | None, label_smoothing: float) -> nn.Module:
        """Sigmoid cross-entropy."""
        return SigmoidCrossEntropy(weights, label_smoothing)

    def weights(
        self, per_class: Sequence[float] | None, targets: np.ndarray, number_of: Count = np.asarray
    ) -> Tensor:
        """The positive class's weight beside the negative one's; balanced: negatives/positives."""
        if per_class is not None:
            negative, positive = one_a_class(per_class, self.class_names)
            return positive / negative
        positives = int(targets.sum())
        negative, positive = number_of(np.array([len(targets) - positives, max(positives, 1)]))
        return torch.tensor(negative / positive, dtype=torch.float32)

    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B,) and targets (B,) of 0.0 to 1.0."""
        positive = target[:, 1] if target.ndim == 2 else target
        return logits.squeeze(1), positive.to(logits.dtype)

    def soft(self, target: Tensor) -> Tensor:
        """One-hot rows."""
        return nn.functional.one_hot(target, 2).float()

    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Between the positive class's probability and the threshold."""
        (threshold,) = thresholds or (0.5,)
        return (probs[:, 1] - threshold).abs()

    def evidence(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The logit for the positive class, its opposite for the negative one."""
        return logits[:, 0] * (2 * classes - 1)

    def probs(self, logits: Tensor) -> Tensor:
        """Probabilities of (negative, positive), shape (B, 2)."""
        positive = logits.float()  # each by itself, so that the small one keeps its precision
        return torch.cat([-positive, positive], dim=1).sigmoid()

    def logits(self, probs: Tensor) -> Tensor:
        """Of the positive class."""
        logs = log_of(probs)
        return logs[:, 1:] - logs[:, :1]

    def calibrate(
        self, probs: Tensor, temperature: float, biases: Sequence[float] | None = None
    ) -> Tensor:
        """The logit of the positive class divided, and the bias added to it."""
        added = None if biases is None else torch.tensor([0.0, *biases], dtype=torch.float64)
        return rescale_logits(probs, temperature, added)

    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """1 where the positive class is the more probable one, or is over the threshold."""
        (threshold,) = thresholds or (0.5,)
        return (probs[:, 1] > threshold).long()

    @property
    def threshold_names(self) -> tuple[str, ...]:
        """The positive class."""
        return (self.positive_class,)

    @property
    def scored_classes(self) -> slice:
        """The positive one, which is the last."""
        return slice(1, 2)

    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """Of the positive class."""
        positive = probs[:, 1]
        return Confidences(
            positive.numpy(),
            target.double().numpy(),
            log_loss(probs.gather(1, target[:, None])[:, 0]).numpy(),
            ((positive - target) ** 2).numpy(),
        )

    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """The positive class's probability."""
        return predictions.probs[:, 1:].astype(np.float64), predictions.targets[:, None]

    def settings(self) -> dict[str, str]:
        """The positive class, also where it was chosen by default."""
        return {"positive_class": self.positive_class}

    def describe(self) -> str:
        """The two classes, and which is positive."""
        return f"binary, {self.class_names[0]} against {self.class_names[1]} (positive)"
