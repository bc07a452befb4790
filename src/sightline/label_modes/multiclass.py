"""Exactly one class an image: softmax over C outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy

from sightline.errors import UserError
from sightline.label_modes.base import divide_logits, one_a_class
from sightline.label_modes.measures import Confidences, Thresholds, log_loss, to_tensors
from sightline.label_modes.single_label import RATES, SingleLabel, per_class_ranking
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
        return nn.CrossEntropyLoss(weight=weights, label_smoothing=label_smoothing)

    def weights(self, per_class: Sequence[float] | None, targets: np.ndarray) -> Tensor:
        """One weight a class; balanced: N / (C · count), as in scikit-learn."""
        if per_class is not None:
            return one_a_class(per_class, self.class_names)
        counts = np.bincount(targets, minlength=len(self.class_names))
        balanced = len(targets) / (len(counts) * np.maximum(counts, 1))
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

    def calibrate(self, probs: Tensor, temperature: float) -> Tensor:
        """The logits of all classes divided."""
        return divide_logits(probs, temperature)

    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Index of the most probable class; there are no thresholds."""
        assert thresholds is None, "multiclass has no thresholds"
        return probs.argmax(dim=1)

    @property
    def num_thresholds(self) -> int:
        """None."""
        return 0

    def decision_metrics(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, float]:
        """Macro averages leave out classes that are absent from the table."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs, thresholds)
        count = len(self.class_names)
        present = target.unique()
        macro = {
            f"{name}_macro": float(function(preds, target, count, average="none")[present].mean())
            for name, function in RATES.items()
        }
        return {
            "accuracy": float(multiclass_accuracy(preds, target, count, average="micro"))
        } | macro

    def ranking_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Each class against the others, the mean over those where it is defined."""
        ranked = per_class_ranking(*to_tensors(predictions), len(self.class_names))
        return {f"{name}_macro": float(values.nanmean()) for name, values in ranked.items()}

    def further_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Beside those of decisions, the ranking metrics weighted by support."""
        probs, target = to_tensors(predictions)
        weighted = {}
        for name, values in per_class_ranking(probs, target, len(self.class_names)).items():
            defined = ~values.isnan()
            support = torch.bincount(target, minlength=len(values))[defined].double()
            weighted[f"{name}_weighted"] = float((values[defined] * support).sum() / support.sum())
        return super().further_metrics(predictions) | weighted

    def own_rates(self, rates: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """No class is singled out."""
        return {}

    def ranked_classes(self) -> slice:
        """All of them."""
        return slice(None)

    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """Of the most probable class (Guo et al. 2017); squared errors summed over classes."""
        confidence, decided = probs.max(dim=1)
        errors = (probs - self.soft(target)) ** 2
        return Confidences(
            confidence.numpy(),
            (decided == target).double().numpy(),
            log_loss(probs.gather(1, target[:, None])[:, 0]).numpy(),
            errors.sum(dim=1).numpy(),
        )

    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Nothing: the most probable class is decided."""
        return np.empty((len(predictions), 0)), np.empty((len(predictions), 0), np.int64)
