"""What is measured where a sample is of exactly one class: in binary and in multiclass."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_auroc,
    multiclass_average_precision,
    multiclass_cohen_kappa,
    multiclass_f1_score,
    multiclass_matthews_corrcoef,
    multiclass_precision,
    multiclass_recall,
)

from sightline.label_modes.base import LabelMode
from sightline.label_modes.counts import Counts, RankedScores, mean_of_defined
from sightline.label_modes.measures import ConfusionMatrix, Resampled, Thresholds, to_tensors
from sightline.predictions import Predictions

RATES = {
    "precision": multiclass_precision,
    "recall": multiclass_recall,
    "f1": multiclass_f1_score,
}
TOP = (2, 5)  # the target is among so many most probable classes


class SingleLabel(LabelMode):
    """Targets and decisions are class indices."""

    def further_metrics(self, predictions: Predictions) -> dict[str, float]:
        """Micro and weighted averages, agreement beyond chance, top-k accuracy."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs)
        decided = (preds, target, len(self.class_names))
        metrics = {}
        for name, function in RATES.items():
            metrics[f"{name}_micro"] = float(function(*decided, average="micro"))
            metrics[f"{name}_weighted"] = float(function(*decided, average="weighted"))
        several = len(target.unique()) > 1
        present = target.unique()
        recall = multiclass_recall(*decided, average="none")[present].mean()
        metrics["balanced_accuracy"] = float(recall)
        kappa, matthews = multiclass_cohen_kappa(*decided), multiclass_matthews_corrcoef(*decided)
        metrics["cohen_kappa"] = float(kappa) if several else float("nan")
        if len(preds.unique()) == 1:  # torchmetrics is then a little off 0
            matthews = torch.tensor(0.0)
        metrics["matthews_corrcoef"] = float(matthews) if several else float("nan")
        hits = {f"accuracy_top{k}": in_top(probs, target, k) for k in TOP if k < probs.shape[1]}
        return metrics | {name: float(hit.double().mean()) for name, hit in hits.items()}

    def per_class(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, np.ndarray]:
        """One class against the others."""
        probs, target = to_tensors(predictions)
        count = len(self.class_names)
        decided = (self.decide(probs, thresholds), target, count)
        support = torch.bincount(target, minlength=count)
        columns = {name: f(*decided, average="none") for name, f in RATES.items()}
        columns |= per_class_ranking(probs, target, count)
        absent = support == 0
        return {
            "support": support.numpy(),
            **{name: c.masked_fill(absent, torch.nan).numpy() for name, c in columns.items()},
        }

    def confusion_matrices(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> list[ConfusionMatrix]:
        """One C×C matrix."""
        probs, target = to_tensors(predictions)
        count = len(self.class_names)
        cells = target * count + self.decide(probs, thresholds)
        counts = torch.bincount(cells, minlength=count * count).reshape(count, count)
        return [ConfusionMatrix("classes", counts.numpy(), self.class_names, self.class_names)]

    def proportions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> dict[str, tuple[int, int]]:
        """Accuracies."""
        probs, target = to_tensors(predictions)
        hits = {"accuracy": self.decide(probs, thresholds) == target}
        hits |= {f"accuracy_top{k}": in_top(probs, target, k) for k in TOP if k < probs.shape[1]}
        return {name: (int(hit.sum()), len(hit)) for name, hit in hits.items()}

    def counts(
        self, predictions: Predictions, weights: np.ndarray, thresholds: Thresholds = None
    ) -> Counts:
        """Of all classes, also in binary."""
        probs, target = to_tensors(predictions)
        preds = self.decide(probs, thresholds).numpy()
        return Counts.of_one_class(preds, target.numpy(), len(self.class_names), weights)

    def resampled_decisions(
        self, predictions: Predictions, thresholds: Thresholds = None
    ) -> Resampled:
        """Counts of each class, weighted."""
        probs, target = to_tensors(predictions)
        top = {
            f"accuracy_top{k}": in_top(probs, target, k).numpy() for k in TOP if k < probs.shape[1]
        }

        def measure(weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
            counts = self.counts(predictions, weights, thresholds)
            total = counts.known[:, 0]
            metrics = {"accuracy": counts.hits.sum(axis=1) / total}
            metrics |= counts.averages() | counts.agreement()
            metrics["balanced_accuracy"] = metrics["recall_macro"]
            metrics |= {name: hit.astype(np.float32) @ weights / total for name, hit in top.items()}
            rates = counts.rates()
            return metrics | self.own_rates(rates), rates

        return measure

    @abstractmethod
    def own_rates(self, rates: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Rates (R, C) of single classes that are metrics of their own."""

    def resampled_ranking(self, predictions: Predictions) -> Resampled:
        """Each class against the others."""
        targets, probs = predictions.targets, predictions.probs
        ranked = [RankedScores(column, targets == i) for i, column in enumerate(probs.T)]
        averaged = self.ranked_classes()

        def measure(weights: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
            areas = [each.areas(weights) for each in ranked]
            columns = {
                "auroc": np.stack([auroc for auroc, _ in areas], axis=1),
                "average_precision": np.stack([area for _, area in areas], axis=1),
            }
            macro = {f"{n}_macro": mean_of_defined(c[:, averaged]) for n, c in columns.items()}
            return macro, columns

        return measure

    @abstractmethod
    def ranked_classes(self) -> slice:
        """The classes that the ranking metrics average over."""


def per_class_ranking(probs: Tensor, target: Tensor, count: int) -> dict[str, Tensor]:
    """AUROC and average precision of each class against the others, shape (C,).

    NaN for a class that is absent, and AUROC for a class that all samples are of.
    """
    support = torch.bincount(target, minlength=count)
    auroc = multiclass_auroc(probs, target, count, average="none")
    precision = multiclass_average_precision(probs, target, count, average="none")
    undefined = (support == 0) | (support == len(target))
    return {
        "auroc": auroc.masked_fill(undefined, torch.nan),
        "average_precision": precision.masked_fill(support == 0, torch.nan),
    }


def in_top(probs: Tensor, target: Tensor, k: int) -> Tensor:
    """Whether the target is among the k most probable classes, shape (N,).

    Of equal probabilities the later class comes first, as in scikit-learn.
    """
    own = probs.gather(1, target[:, None])
    later = torch.arange(probs.shape[1]) > target[:, None]
    before = (probs > own) | ((probs == own) & later)
    return before.sum(dim=1) < k
