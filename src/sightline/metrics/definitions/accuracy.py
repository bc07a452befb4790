"""Shares of answers and samples that are decided correctly."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from sightline.label_modes.base import LabelMode
    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Interval
    from sightline.metrics.units import Units


class Share(Metric):
    """A share of answers or samples, with the mid-P interval."""

    scale = "logit"
    has_formula = True
    interval_method = "mid-P"

    @abstractmethod
    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Hits and trials of each sample, both (N,)."""

    def scarce(self, table: DecidedTable, units: Units) -> str | None:
        """Groups with a trial; the interval of few hits or misses is wide."""
        from sightline.metrics.scarcity import few_trials

        return few_trials(self.shares(table)[1], units)

    def interval(self, table: DecidedTable, units: Units, level: float) -> Interval | None:
        """Of the hits by trials."""
        from sightline.metrics.shares import share_interval

        return share_interval(*self.shares(table), units, level)


class Accuracy(Share):
    """The share of known answers that are right: of samples, or of labels in multilabel."""

    name = "accuracy"
    formula = "right answers / known answers"
    source = "scikit-learn's accuracy_score; of several labels, of each label's answers"
    higher_is_better = True
    role = "epoch"
    place = 0

    def value(self, table: DecidedTable) -> float:
        """Right answers by known answers."""
        right, known = table.answers
        return float(right.sum() / known.sum())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.counts.accuracy()

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Right and known answers."""
        right, known = table.answers
        return right.sum(dim=1).numpy(), known.sum(dim=1).numpy()

    def correct(self, table: DecidedTable) -> np.ndarray | None:
        """None where a sample has several answers."""
        right, known = table.answers
        return right[known].numpy() if right.shape[1] == 1 else None


class AccuracySubset(Share):
    """The share of samples without a wrong label, among those with a known label."""

    name = "accuracy_subset"
    formula = "samples without a wrong label / samples with a known label"
    source = "scikit-learn's accuracy_score of several labels"
    higher_is_better = True
    modes = ("multi_label",)
    role = "epoch"
    place = 1

    def value(self, table: DecidedTable) -> float:
        """Samples that are right by samples with a known label."""
        right, some = self._rows(table)
        return float(right.sum() / some.sum())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Samples are counted as often as they are drawn."""
        from sightline.label_modes.counts import divide_or_nan

        right, some = (rows.numpy().astype(float) for rows in self._rows(table.table))
        return divide_or_nan(right @ table.weights, some @ table.weights)

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Samples that are right, of those with a known label."""
        right, some = self._rows(table)
        return right.numpy(), some.numpy()

    def correct(self, table: DecidedTable) -> np.ndarray | None:
        """Of the samples with a known label."""
        right, some = self._rows(table)
        return right[some].numpy()

    def _rows(self, table: DecidedTable) -> tuple[Tensor, Tensor]:
        def rows() -> tuple[Tensor, Tensor]:
            right, known = table.answers
            some = known.any(dim=1)
            return (right | ~known).all(dim=1) & some, some

        return table.cached(self.name, rows)


class HammingLoss(Share):
    """The share of known labels that are decided wrongly."""

    name = "hamming_loss"
    formula = "wrong labels / known labels"
    source = "scikit-learn's hamming_loss"
    higher_is_better = False
    modes = ("multi_label",)
    place = 40

    def value(self, table: DecidedTable) -> float:
        """One minus the accuracy."""
        right, known = table.answers
        return float(1 - right.sum() / known.sum())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """From weighted counts."""
        return table.counts.error()

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Wrong and known answers."""
        right, known = table.answers
        return (known & ~right).sum(dim=1).numpy(), known.sum(dim=1).numpy()


class AccuracyTopK(Share):
    """The share of samples whose class is among the k most probable ones."""

    formula = "(1/N) Σ [y is among the k most probable classes]"
    source = "scikit-learn's top_k_accuracy_score"
    higher_is_better = True
    modes = ("multiclass",)

    def __init__(self, k: int, place: int) -> None:
        self.k = k
        self.name = f"accuracy_top{k}"
        self.place = place

    def is_for(self, label_mode: LabelMode) -> bool:
        """Only where there are more than k classes."""
        return super().is_for(label_mode) and self.k < len(label_mode.class_names)

    def value(self, table: DecidedTable) -> float:
        """The mean over samples."""
        return float(self._hits(table).double().mean())

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Hits are counted as often as they are drawn."""
        hits: np.ndarray = self._hits(table.table).numpy().astype(np.float32)
        return np.asarray(hits @ table.weights / table.total)

    def shares(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Samples that are hit, of all."""
        hits: np.ndarray = self._hits(table).numpy()
        return hits, np.ones(len(hits))

    def _hits(self, table: DecidedTable) -> Tensor:
        return table.cached(self.name, lambda: in_top(table.probs, table.target, self.k))


def in_top(probs: Tensor, target: Tensor, k: int) -> Tensor:
    """Samples whose target is among the k most probable classes, shape (N,), bool.

    Of equal probabilities the later class comes first, as in scikit-learn.
    """
    import torch

    from sightline.label_modes.measures import BLOCK

    classes, found = torch.arange(probs.shape[1]), []
    for block, own_class in zip(probs.split(BLOCK), target[:, None].split(BLOCK), strict=True):
        own = block.gather(1, own_class)
        before = (block > own) | ((block == own) & (classes > own_class))
        found.append(before.sum(dim=1) < k)
    return torch.cat(found)


METRICS = [Accuracy(), AccuracySubset(), HammingLoss(), AccuracyTopK(2, 60), AccuracyTopK(5, 61)]
