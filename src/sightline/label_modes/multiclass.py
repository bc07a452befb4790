"""Exactly one class a picture: softmax over C outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_auroc,
    multiclass_average_precision,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from sightline.errors import UserError
from sightline.label_modes.base import (
    ConfusionMatrix,
    LabelMode,
    divide_logits,
    one_a_class,
    to_tensors,
)
from sightline.predictions import Predictions


class Multiclass(LabelMode):
    """One of C classes; the decision is the most probable one."""

    name = "multiclass"
    exclusive = True

    @property
    def num_outputs(self) -> int:
        """One logit a class."""
        return len(self.class_names)

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse several labels a picture, and a single class."""
        if targets.ndim != 1:
            raise UserError(
                f"label_mode=multiclass needs one class a picture, but {where} gives each picture "
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

    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Between the two most probable classes."""
        first, second = probs.topk(2, dim=1).values.unbind(1)
        return first - second

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """Macro averages leave out classes that are absent from the table."""
        probs, target = to_tensors(predictions)
        preds = probs.argmax(dim=1)
        present = target.unique()
        count = len(self.class_names)
        decided = {
            "precision": multiclass_precision(preds, target, count, average="none"),
            "recall": multiclass_recall(preds, target, count, average="none"),
            "f1": multiclass_f1_score(preds, target, count, average="none"),
        }
        ranked = {
            "auroc": multiclass_auroc(probs, target, count, average="none"),
            "average_precision": multiclass_average_precision(probs, target, count, average="none"),
        }
        accuracy = multiclass_accuracy(preds, target, count, average="micro")
        macro = {f"{k}_macro": float(v[present].mean()) for k, v in (decided | ranked).items()}
        return {"accuracy": float(accuracy), **macro}

    def per_class(self, predictions: Predictions) -> dict[str, np.ndarray]:
        """One class against the others."""
        probs, target = to_tensors(predictions)
        preds = probs.argmax(dim=1)
        count = len(self.class_names)
        ranked = (probs, target, count)
        decided = (preds, target, count)
        return {
            "support": torch.bincount(target, minlength=count).numpy(),
            "precision": multiclass_precision(*decided, average="none").numpy(),
            "recall": multiclass_recall(*decided, average="none").numpy(),
            "f1": multiclass_f1_score(*decided, average="none").numpy(),
            "average_precision": multiclass_average_precision(*ranked, average="none").numpy(),
        }

    def confusion_matrices(self, predictions: Predictions) -> list[ConfusionMatrix]:
        """One C×C matrix."""
        probs, target = to_tensors(predictions)
        counts = multiclass_confusion_matrix(probs.argmax(dim=1), target, len(self.class_names))
        return [ConfusionMatrix("classes", counts.numpy(), self.class_names, self.class_names)]
