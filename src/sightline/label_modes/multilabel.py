"""Multilabel classification: any number of labels an image, a sigmoid for each of L outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.base import Count, LabelMode, one_a_class
from sightline.label_modes.counts import LabelCounts
from sightline.label_modes.logits import log_of, rescale_logits
from sightline.label_modes.measures import Average, Confidences, ConfusionMatrix, log_loss
from sightline.label_modes.ranked_scores import RankedScores
from sightline.label_modes.sigmoid import SigmoidCrossEntropy, absent_and_present
from sightline.predictions import Predictions
from sightline.types import MISSING


class Multilabel(LabelMode):
    """Rows of 0 and 1; a label is decided where its probability is over 0.5.

    A target that is not known counts nowhere.
    """

    name = "multilabel"
    family = "multi_label"
    multi_label = True
    epoch_line = ("average_precision_macro", "average_precision_micro")  # labels are often rare
    main_metrics = (*epoch_line, "auroc_macro", "f1_macro", "f1_micro")

    @property
    def num_outputs(self) -> int:
        """One logit a label."""
        return len(self.class_names)

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse targets that are one class an image."""
        if targets.ndim != 2:
            raise UserError(
                f"label_mode=multilabel needs any number of labels an image, but {where} gives "
                f"each image one of {len(self.class_names)} classes; use label_mode="
                f"{'binary' if len(self.class_names) == 2 else 'multiclass'}."
            )

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Rows of 0, 1 and MISSING."""
        return targets.astype(np.int8)

    def criterion(self, weights: Tensor | None, label_smoothing: float) -> nn.Module:
        """Sigmoid cross-entropy, the mean over samples and known labels."""
        return SigmoidCrossEntropy(weights, label_smoothing)

    def weights(
        self, per_class: Sequence[float] | None, targets: np.ndarray, number_of: Count = np.asarray
    ) -> Tensor:
        """The weight of each label's presence beside its absence; balanced: absent/present."""
        if per_class is not None:
            return one_a_class(per_class, self.class_names)
        present, absent = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
        ratio = np.where(present > 0, number_of(absent) / number_of(np.maximum(present, 1)), 1.0)
        return torch.tensor(ratio, dtype=torch.float32)

    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and targets (B, L) of 0.0 to 1.0, NaN where a label is not known."""
        return logits, self.soft(target).to(logits.dtype)

    def soft(self, target: Tensor) -> Tensor:
        """Rows of 0.0 and 1.0, NaN where a label is not known."""
        missing = torch.where(target == MISSING, torch.nan, target.float())
        return target if target.is_floating_point() else missing

    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Between a label's probability and its threshold, of the label where it is least."""
        at = torch.tensor(thresholds or [0.5] * probs.shape[1], dtype=probs.dtype)
        return (probs - at.to(probs.device)).abs().amin(dim=1)

    def probs(self, logits: Tensor) -> Tensor:
        """A sigmoid for each label."""
        return logits.float().sigmoid()

    def logits(self, probs: Tensor) -> Tensor:
        """Of each label."""
        absent, present = log_of(absent_and_present(probs)).unbind(-1)
        return present - absent

    def calibrate(
        self, probs: Tensor, temperature: float, biases: Sequence[float] | None = None
    ) -> Tensor:
        """The logit of each label divided, and its bias added to it."""
        added = None
        if biases is not None:
            added = torch.tensor([[0.0, bias] for bias in biases], dtype=torch.float64)
        return rescale_logits(absent_and_present(probs), temperature, added)[..., 1]

    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """1 where a label's probability is over 0.5, or over its own threshold."""
        if thresholds is None:
            return (probs > 0.5).long()
        return (probs > torch.tensor(thresholds, dtype=probs.dtype, device=probs.device)).long()

    @property
    def threshold_names(self) -> tuple[str, ...]:
        """All labels."""
        return self.class_names

    @property
    def scored_classes(self) -> slice:
        """All labels."""
        return slice(None)

    def answers(self, preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """One answer a label."""
        known = target != MISSING
        return (preds == target) & known, known

    def one_class(
        self, preds: np.ndarray, target: np.ndarray, index: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One label where it is known."""
        column = target[:, index]
        return (preds[:, index] == 1) & (column != MISSING), column == 1, column == 0

    def support(self, target: Tensor) -> Tensor:
        """Samples that carry each label."""
        return (target == 1).sum(dim=0)

    def rate(self, name: str, preds: Tensor, target: Tensor, average: Average) -> Tensor:
        """Over the samples where a label is known."""
        from torchmetrics.functional import classification  # 3 s and 240 MiB, not of every command

        rates = {
            "precision": classification.multilabel_precision,
            "recall": classification.multilabel_recall,
            "f1": classification.multilabel_f1_score,
        }
        value: Tensor = rates[name](
            preds, target, len(self.class_names), average=average, ignore_index=MISSING
        )
        return value

    def counts(self, preds: np.ndarray, target: np.ndarray, weights: np.ndarray) -> LabelCounts:
        """Of each label where it is known."""
        return LabelCounts.of(preds, target, weights)

    def ranked_scores(self, predictions: Predictions) -> list[RankedScores]:
        """Each label's scores where it is known."""
        scores = []
        for probs, targets in zip(predictions.probs.T, predictions.targets.T, strict=True):
            rows = np.flatnonzero(targets >= 0)
            known = None if len(rows) == len(targets) else rows
            scores.append(RankedScores(probs[rows], targets[rows] == 1, known))
        return scores

    def matrices(self, preds: Tensor, target: Tensor) -> list[ConfusionMatrix]:
        """A 2×2 matrix for each label, and the L×L table of label i missed while j is wrong."""
        from torchmetrics.functional.classification import multilabel_confusion_matrix

        names = self.class_names
        known = multilabel_confusion_matrix(preds, target, len(names), ignore_index=MISSING).numpy()
        axes = [(f"no {name}", name) for name in names]
        matrices = [ConfusionMatrix(n, m, a, a) for n, m, a in zip(names, known, axes, strict=True)]
        missed, wrong = (target == 1) & (preds == 0), (target == 0) & (preds == 1)
        mixed_up = (missed.double().T @ wrong.double()).round().to(torch.int64).numpy()
        title = "missed × wrongly predicted"
        return [*matrices, ConfusionMatrix(title, mixed_up, names, names, False)]

    def confidences(self, probs: Tensor, target: Tensor) -> Confidences:
        """Each label is a question of its own."""
        truth = torch.where(target == MISSING, torch.nan, target.double())
        likely = torch.where(target == 1, probs, 1 - probs)
        loss = torch.where(target == MISSING, torch.nan, log_loss(likely))
        return Confidences(
            torch.where(target == MISSING, torch.nan, probs).numpy(),
            truth.numpy(),
            loss.numpy(),
            ((probs - truth) ** 2).numpy(),
        )

    def yes_or_no(self, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
        """Each label's probability."""
        return predictions.probs.astype(np.float64), predictions.targets
