"""Any number of labels a picture: a sigmoid for each of L outputs."""

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.functional.classification import (
    multilabel_accuracy,
    multilabel_auroc,
    multilabel_average_precision,
    multilabel_confusion_matrix,
    multilabel_exact_match,
    multilabel_f1_score,
    multilabel_precision,
    multilabel_recall,
)

from sightline.errors import UserError
from sightline.label_modes.base import ConfusionMatrix, LabelMode, to_tensors
from sightline.predictions import Predictions


class Multilabel(LabelMode):
    """Each of L labels is there or not; a label is decided where its probability is over 0.5."""

    name = "multilabel"

    @property
    def num_outputs(self) -> int:
        """One logit a label."""
        return len(self.class_names)

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse targets that are one class a picture."""
        if targets.ndim != 2:
            raise UserError(
                f"label_mode=multilabel needs any number of labels a picture, but {where} gives "
                f"each picture one of {len(self.class_names)} classes; use label_mode="
                f"{'binary' if len(self.class_names) == 2 else 'multiclass'}."
            )

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Rows of 0 and 1."""
        return targets.astype(np.int64)

    def criterion(self) -> nn.Module:
        """Sigmoid cross-entropy, the mean over samples and labels."""
        return nn.BCEWithLogitsLoss()

    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and targets (B, L) of 0.0 and 1.0."""
        return logits, target.to(logits.dtype)

    def probs(self, logits: Tensor) -> Tensor:
        """A sigmoid for each label."""
        return logits.float().sigmoid()

    def decide(self, probs: Tensor) -> Tensor:
        """1 where a label's probability is over 0.5."""
        return (probs > 0.5).long()

    def metrics(self, predictions: Predictions) -> dict[str, float]:
        """`accuracy` counts label by label, `accuracy_subset` whole rows.

        The ranking metrics' macro averages leave out labels without positives (for AUROC: or
        without negatives), where they are undefined.
        """
        probs, target = to_tensors(predictions)
        count = len(self.class_names)
        preds = self.decide(probs)
        positives = target.sum(dim=0)
        some = positives > 0
        both = some & (positives < len(target))
        auroc = multilabel_auroc(probs, target, count, average="none")
        average_precision = multilabel_average_precision(probs, target, count, average="none")
        metrics = {
            "accuracy": multilabel_accuracy(preds, target, count, average="micro"),
            "accuracy_subset": multilabel_exact_match(preds, target, count),
            "f1_micro": multilabel_f1_score(preds, target, count, average="micro"),
            "auroc_macro": auroc[both].mean(),
            "average_precision_macro": average_precision[some].mean(),
        }
        for name, function in {
            "precision": multilabel_precision,
            "recall": multilabel_recall,
            "f1": multilabel_f1_score,
        }.items():
            metrics[f"{name}_macro"] = function(preds, target, count, average="none")[some].mean()
        return {name: float(value) for name, value in metrics.items()}

    def per_class(self, predictions: Predictions) -> dict[str, np.ndarray]:
        """One label at a time."""
        probs, target = to_tensors(predictions)
        count = len(self.class_names)
        decided = (self.decide(probs), target, count)
        return {
            "support": target.sum(dim=0).numpy(),
            "precision": multilabel_precision(*decided, average="none").numpy(),
            "recall": multilabel_recall(*decided, average="none").numpy(),
            "f1": multilabel_f1_score(*decided, average="none").numpy(),
            "average_precision": multilabel_average_precision(
                probs, target, count, average="none"
            ).numpy(),
        }

    def confusion_matrices(self, predictions: Predictions) -> list[ConfusionMatrix]:
        """A 2×2 matrix for each label, and the L×L table of label i missed while j is wrong."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs)
        counts = multilabel_confusion_matrix(preds, target, len(self.class_names)).numpy()
        matrices = [
            ConfusionMatrix(name, matrix, (f"no {name}", name), (f"no {name}", name))
            for name, matrix in zip(self.class_names, counts, strict=True)
        ]
        missed = ((target == 1) & (preds == 0)).double()
        wrong = ((target == 0) & (preds == 1)).double()
        mixed_up = (missed.T @ wrong).round().to(torch.int64).numpy()
        names = self.class_names
        return [
            *matrices,
            ConfusionMatrix("missed × wrongly predicted", mixed_up, names, names, False),
        ]
