"""What is measured where each of L labels is there or not: in multilabel."""

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multilabel_accuracy,
    multilabel_confusion_matrix,
    multilabel_exact_match,
    multilabel_f1_score,
    multilabel_hamming_distance,
    multilabel_precision,
    multilabel_recall,
)

from sightline.label_modes.base import MISSING, LabelMode
from sightline.label_modes.counts import Counts, RankedScores, divide_or_nan, mean_of_defined
from sightline.label_modes.measures import (
    Confidences,
    ConfusionMatrix,
    Resampled,
    Thresholds,
    log_loss,
    to_tensors,
)
from sightline.label_modes.ranking import per_label_ranking, sample_ranking
from sightline.predictions import Predictions

RATES = {
    "precision": multilabel_precision,
    "recall": multilabel_recall,
    "f1": multilabel_f1_score,
}
DECISIONS = (
    "accuracy", "accuracy_subset", "f1_micro", "precision_macro", "recall_macro", "f1_macro",
)  # fmt: skip


class MultiLabel(LabelMode):
    """Targets and decisions are rows of 0 and 1; a target that is not known counts nowhere."""

    @property
    def num_thresholds(self) -> int:
        """One a label."""
        return len(self.class_names)

    def decision_metrics(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, float]:
        """`accuracy` counts label by label, `accuracy_subset` rows of which any label is known.

        The macro averages leave out labels without positives, where they are undefined.
        """
        probs, target = to_tensors(predictions)
        rows = (target != MISSING).any(dim=1)
        if not rows.any():
            return dict.fromkeys(DECISIONS, float("nan"))
        probs, target = probs[rows], target[rows]
        decided = (self.decide(probs, thresholds), target, len(self.class_names))
        some = (target == 1).any(dim=0)
        f1 = multilabel_f1_score(*decided, average="micro", ignore_index=MISSING)
        metrics = {
            "accuracy": multilabel_accuracy(*decided, average="micro", ignore_index=MISSING),
            "accuracy_subset": multilabel_exact_match(*decided, ignore_index=MISSING),
            "f1_micro": f1 if some.any() else torch.tensor(torch.nan),
        }
        for name, function in RATES.items():
            values = function(*decided, average="none", ignore_index=MISSING)
            metrics[f"{name}_macro"] = values[some].mean()
        return {name: float(metrics[name]) for name in DECISIONS}

    def ranking_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Over the labels with positives, and for AUROC with negatives too."""
        ranked = per_label_ranking(*to_tensors(predictions))
        return {f"{name}_macro": float(values.nanmean()) for name, values in ranked.items()}

    def further_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Micro and weighted averages, agreement of each label, ranking of each sample's labels.

        The latter over the samples whose labels are all known.
        """
        probs, target = to_tensors(predictions)
        rows = (target != MISSING).any(dim=1)
        probs, target = probs[rows], target[rows]
        decided = (self.decide(probs), target, len(self.class_names))
        some = bool((target == 1).any())
        undefined = torch.tensor(torch.nan)
        metrics = {}
        for name, function in RATES.items():
            for average in ("micro", "weighted"):
                metrics[f"{name}_{average}"] = (
                    function(*decided, average=average, ignore_index=MISSING) if some else undefined
                )
        metrics["hamming_loss"] = (
            multilabel_hamming_distance(*decided, average="micro", ignore_index=MISSING)
            if rows.any()
            else undefined
        )
        support = (target == 1).sum(dim=0)
        for name, values in per_label_ranking(probs, target).items():
            weights = support.masked_fill(values.isnan(), 0)
            metrics[f"{name}_weighted"] = (values.nan_to_num() * weights).sum() / weights.sum()
        counts = self.counts(predictions, np.ones((len(predictions), 1), np.float32))
        metrics |= {name: value[0] for name, value in counts.label_agreement().items()}
        metrics |= sample_ranking(probs, target)
        return {name: float(value) for name, value in metrics.items()}

    def per_class(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, np.ndarray]:
        """One label at a time, over the samples where it is known."""
        probs, target = to_tensors(predictions)
        decided = (self.decide(probs, thresholds), target, len(self.class_names))
        support = (target == 1).sum(dim=0)
        columns = {
            name: function(*decided, average="none", ignore_index=MISSING)
            for name, function in RATES.items()
        }
        columns |= per_label_ranking(probs, target)
        absent = support == 0
        return {
            "support": support.numpy(),
            **{name: c.masked_fill(absent, torch.nan).numpy() for name, c in columns.items()},
        }

    def confusion_matrices(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> list[ConfusionMatrix]:
        """A 2×2 matrix for each label, and the L×L table of label i missed while j is wrong."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs, thresholds)
        names = self.class_names
        known = multilabel_confusion_matrix(preds, target, len(names), ignore_index=MISSING)
        matrices = [
            ConfusionMatrix(name, matrix, (f"no {name}", name), (f"no {name}", name))
            for name, matrix in zip(names, known.numpy(), strict=True)
        ]
        missed = ((target == 1) & (preds == 0)).double()
        wrong = ((target == 0) & (preds == 1)).double()
        mixed_up = (missed.T @ wrong).round().to(torch.int64).numpy()
        title = "missed × wrongly predicted"
        return [*matrices, ConfusionMatrix(title, mixed_up, names, names, False)]

    def proportions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, tuple[int, int]]:
        """Rows that are right as a whole; labels of one row are not independent of each other."""
        right, known = self._right_rows(predictions, thresholds)
        return {"accuracy_subset": (int(right.sum()), int(known.sum()))}

    def counts(
        self, predictions: Predictions, weights: np.ndarray, thresholds: Thresholds = None
    ) -> Counts:
        """Of each label where it is known."""
        probs, target = to_tensors(predictions)
        return Counts.of_labels(self.decide(probs, thresholds).numpy(), target.numpy(), weights)

    def resampled_decisions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> Resampled:
        """Counts of each label, weighted."""
        right, known = self._right_rows(predictions, thresholds)

        def measure(weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
            counts = self.counts(predictions, weights, thresholds)
            wrong = counts.support + counts.predicted - 2 * counts.hits
            share = divide_or_nan(wrong.sum(axis=1), counts.known.sum(axis=1))
            rows = divide_or_nan(right.astype(float) @ weights, known.astype(float) @ weights)
            own = {"accuracy": 1 - share, "hamming_loss": share, "accuracy_subset": rows}
            return own | counts.averages() | counts.label_agreement(), counts.rates()

        return measure

    def resampled_ranking(self, predictions: Predictions) -> Resampled:
        """Each label by itself, where it is known."""
        targets, probs = predictions.targets, predictions.probs
        known = [np.flatnonzero(column >= 0) for column in targets.T]
        ranked = [
            RankedScores(probs[rows, label], targets[rows, label] == 1)
            for label, rows in enumerate(known)
        ]

        def measure(weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
            areas = [
                each.areas(weights if len(rows) == len(weights) else weights[rows])
                for each, rows in zip(ranked, known, strict=True)
            ]
            columns = {
                "auroc": np.stack([auroc for auroc, _ in areas], axis=1),
                "average_precision": np.stack([area for _, area in areas], axis=1),
            }
            return {f"{name}_macro": mean_of_defined(c) for name, c in columns.items()}, columns

        return measure

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
        """Whether each label is there."""
        return predictions.probs.astype(np.float64), predictions.targets

    def _right_rows(
        self, predictions: Predictions, thresholds: Thresholds
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows without a known label that is wrong, and rows with a known label at all."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs, thresholds)
        known = (target != MISSING).any(dim=1)
        right = ((preds == target) | (target == MISSING)).all(dim=1) & known
        return right.numpy(), known.numpy()
