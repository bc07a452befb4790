"""Metrics as functions of weighted counts, for many weightings of the samples at once.

A bootstrap resample is a weighting: how often each sample was drawn. Arrays of counts have shape
(R, C), a row a weighting and a column a class; with one row of ones they give the metrics
themselves, which the tests hold to torchmetrics' values.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Counts:
    """How decisions meet targets, for each class.

    Attributes:
        hits: samples of the class that were decided so, shape (R, C).
        predicted: samples that were decided so.
        support: samples of the class.
        known: samples whose target is known; for one class a sample all of them, shape (R, 1).
    """

    hits: np.ndarray
    predicted: np.ndarray
    support: np.ndarray
    known: np.ndarray

    @classmethod
    def of_one_class(
        cls, preds: np.ndarray, targets: np.ndarray, classes: int, weights: np.ndarray
    ) -> Self:
        """Of class indices (N,), under weights (N, R)."""
        hits = np.where(preds == targets, targets, classes)  # the last column is for misses
        return cls(
            hits=sum_by(hits, classes + 1, weights)[:, :classes],
            predicted=sum_by(preds, classes, weights),
            support=sum_by(targets, classes, weights),
            known=weights.sum(axis=0, dtype=np.float64)[:, None],
        )

    @classmethod
    def of_labels(cls, preds: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Self:
        """Of rows of 0 and 1 (N, L), targets negative where not known, under weights (N, R)."""
        known = targets >= 0

        def total(where: np.ndarray) -> np.ndarray:
            return (weights.T @ where.astype(weights.dtype)).astype(np.float64)

        return cls(
            hits=total((preds == 1) & (targets == 1)),
            predicted=total((preds == 1) & known),
            support=total(targets == 1),
            known=total(known),
        )

    def rates(self) -> dict[str, np.ndarray]:
        """Precision, recall and F1 of each class, shape (R, C); NaN where it is absent."""
        found = {
            "precision": (self.hits, self.predicted),
            "recall": (self.hits, self.support),
            "f1": (2 * self.hits, self.predicted + self.support),
        }
        return {
            name: np.where(self.support > 0, divide(above, below), np.nan)
            for name, (above, below) in found.items()
        }

    def averages(self) -> dict[str, np.ndarray]:
        """Micro, macro (over the classes that are there) and weighted averages, shape (R,)."""
        hits, predicted, support = (
            a.sum(axis=1) for a in (self.hits, self.predicted, self.support)
        )
        micro = {
            "precision": (hits, predicted),
            "recall": (hits, support),
            "f1": (2 * hits, predicted + support),
        }
        found = {}
        for name, values in self.rates().items():
            above, below = micro[name]
            found[f"{name}_micro"] = np.where(support > 0, divide(above, below), np.nan)
            found[f"{name}_macro"] = mean_of_defined(values)
            weighted = divide((np.nan_to_num(values) * self.support).sum(axis=1), support)
            found[f"{name}_weighted"] = np.where(support > 0, weighted, np.nan)
        return found

    def agreement(self) -> dict[str, np.ndarray]:
        """Cohen's kappa and Matthews' coefficient of one class a sample, shape (R,).

        NaN where the targets are all of one class; 0 where only the decisions are.
        """
        total = self.known[:, 0]
        hits = self.hits.sum(axis=1) * total
        chance = (self.support * self.predicted).sum(axis=1)
        spread = [total**2 - (each**2).sum(axis=1) for each in (self.support, self.predicted)]
        several = (self.support > 0).sum(axis=1) > 1
        kappa = divide(hits - chance, total**2 - chance)
        matthews = divide(hits - chance, np.sqrt(spread[0] * spread[1]))
        return {
            "cohen_kappa": np.where(several, kappa, np.nan),
            "matthews_corrcoef": np.where(several, matthews, np.nan),
        }

    def label_agreement(self) -> dict[str, np.ndarray]:
        """The same of each label by itself, and balanced accuracy: macro averages, shape (R,)."""
        misses, alarms = self.support - self.hits, self.predicted - self.hits
        absent = self.known - self.support
        rejected = absent - alarms
        both = (self.support > 0) & (absent > 0)
        covariance = self.hits * rejected - misses * alarms
        unpredicted = self.known - self.predicted
        spread = self.support * absent * self.predicted * unpredicted
        chance = self.support * unpredicted + absent * self.predicted
        found = {
            "balanced_accuracy": (divide(self.hits, self.support) + divide(rejected, absent)) / 2,
            "cohen_kappa": divide(2 * covariance, chance),
            "matthews_corrcoef": divide(covariance, np.sqrt(spread)),
        }
        return {
            f"{name}_macro": mean_of_defined(np.where(both, values, np.nan))
            for name, values in found.items()
        }


class RankedScores:
    """One class's scores against the rest, sorted once, for AUROC and average precision.

    Only the places of positives matter: the samples are summed over stretches between them.

    Args:
        scores: shape (N,).
        positive: shape (N,), whether the class is there.
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray) -> None:
        self._there = bool(positive.any())
        if not self._there:
            return
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        tied = np.cumsum(np.append(True, ranked[1:] != ranked[:-1])) - 1
        groups = np.unique(tied[positive[order]])  # ties that hold a positive
        # Stretch 2g holds what is ranked before group g and after the one before it, 2g + 1 the
        # group itself, the last one what comes after all of them.
        place = np.searchsorted(groups, tied)
        inside = np.isin(tied, groups)
        stretch = 2 * place + inside
        samples = np.arange(len(scores))
        ones = np.ones(len(scores), np.float32)
        self._all = sparse.csr_matrix(
            (ones, (stretch, order)), shape=(2 * len(groups) + 1, len(scores))
        )
        chosen = positive[order]
        self._positive = sparse.csr_matrix(
            (ones[chosen], (place[chosen], order[samples[chosen]])),
            shape=(len(groups), len(scores)),
        )

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision, shape (R,), under weights (N, R); NaN where undefined."""
        if not self._there:
            undefined = np.full(weights.shape[1], np.nan)
            return undefined, undefined
        stretches = self._all @ weights
        hits = self._positive @ weights
        total = stretches.sum(axis=0, dtype=np.float64)
        positives = hits.sum(axis=0, dtype=np.float64)
        negatives = total - positives
        ranked = np.cumsum(stretches, axis=0)[1::2]  # up to the end of each group
        found = np.cumsum(hits, axis=0)
        precision = divide(found, ranked)
        alarms = ranked - found
        level = stretches[1::2] - hits  # negatives tied with the positives
        above = np.einsum("gr,gr->r", hits, alarms - level / 2, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            auroc = 1 - above / (positives * negatives)
            area = np.einsum("gr,gr->r", hits, precision, dtype=np.float64) / positives
        return np.where(negatives > 0, auroc, np.nan), area


def sum_by(codes: np.ndarray, count: int, weights: np.ndarray) -> np.ndarray:
    """Sums of weights (N, R) over samples of each code (N,), shape (R, count), double."""
    ones = np.ones(len(codes), weights.dtype)
    member = sparse.csr_matrix((ones, (codes, np.arange(len(codes)))), shape=(count, len(codes)))
    return np.ascontiguousarray((member @ weights).T, dtype=np.float64)


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, 0 where `below` is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


def divide_or_nan(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, NaN where `below` is 0."""
    return np.where(below != 0, divide(above, below), np.nan)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis of what is not NaN; NaN where all is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
