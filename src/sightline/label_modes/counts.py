"""Weighted counts of decisions and targets, and rates and agreements as functions of them.

A bootstrap resample is a weighting: how often each sample is drawn. Arrays of counts have shape
(R, C), a row a weighting and a column a class. With one row of ones they give the metrics
themselves, which the tests compare with torchmetrics' values.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Counts(ABC):
    """Hits, decisions and samples of each class.

    Attributes:
        hits: samples of the class that are decided so, shape (R, C).
        predicted: samples that are decided so.
        support: samples of the class.
        known: samples whose target is known; with one class a sample all of them, shape (R, 1).
    """

    hits: np.ndarray
    predicted: np.ndarray
    support: np.ndarray
    known: np.ndarray

    @property
    def trials(self) -> dict[str, np.ndarray]:
        """The counts that hits are a share of, by the name of the rate."""
        return {"precision": self.predicted, "recall": self.support}

    def rates(self, whole: "Counts | None" = None) -> dict[str, np.ndarray]:
        """Precision, recall and F1 of each class, shape (R, C); NaN where it is absent.

        Args:
            whole: counts of the whole table, whose rates a class keeps under a weighting that
                lacks it; so the classes that are averaged stay the same. None: NaN there.
        """
        found = rates_of(self.hits, self.predicted, self.support)
        found = {name: np.where(self.support > 0, rate, np.nan) for name, rate in found.items()}
        return found if whole is None else filled(found, whole.rates())

    def averages(self, whole: "Counts | None" = None) -> dict[str, np.ndarray]:
        """Micro, macro (over the classes that are present) and weighted averages, shape (R,)."""
        hits, predicted, support = (
            a.sum(axis=1) for a in (self.hits, self.predicted, self.support)
        )
        micro = rates_of(hits, predicted, support)
        found = {}
        for name, values in self.rates(whole).items():
            found[f"{name}_micro"] = np.where(support > 0, micro[name], np.nan)
            found[f"{name}_macro"] = mean_of_defined(values)
            weighted = divide((np.nan_to_num(values) * self.support).sum(axis=1), support)
            found[f"{name}_weighted"] = np.where(support > 0, weighted, np.nan)
        return found

    @abstractmethod
    def accuracy(self) -> np.ndarray:
        """The share of known answers that are right, shape (R,)."""

    @abstractmethod
    def error(self) -> np.ndarray:
        """The share of known answers that are wrong, shape (R,)."""

    @abstractmethod
    def agreement(self, whole: "Counts | None" = None) -> dict[str, np.ndarray]:
        """Cohen's kappa and Matthews' coefficient, shape (R,); NaN where undefined."""


class ClassCounts(Counts):
    """Counts where each sample belongs to one class."""

    @classmethod
    def of(cls, preds: np.ndarray, targets: np.ndarray, classes: int, weights: np.ndarray) -> Self:
        """Counts of class indices (N,), under weights (N, R)."""
        hits = np.where(preds == targets, targets, classes)  # the last column is for misses
        return cls(
            hits=sum_by(hits, classes + 1, weights)[:, :classes],
            predicted=sum_by(preds, classes, weights),
            support=sum_by(targets, classes, weights),
            known=weights.sum(axis=0, dtype=np.float64)[:, None],
        )

    def accuracy(self) -> np.ndarray:
        """Of samples."""
        return np.asarray(self.hits.sum(axis=1) / self.known[:, 0])

    def error(self) -> np.ndarray:
        """Of samples."""
        return 1 - self.accuracy()

    def agreement(self, whole: Counts | None = None) -> dict[str, np.ndarray]:
        """NaN where all targets are of one class; 0 where only the decisions are."""
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


class LabelCounts(Counts):
    """Counts where each of L labels is present or absent, or not known."""

    @classmethod
    def of(cls, preds: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Self:
        """Counts of rows of 0 and 1 (N, L), targets negative where not known; weights (N, R)."""
        known = targets >= 0

        def total(where: np.ndarray) -> np.ndarray:
            return (weights.T @ where.astype(weights.dtype)).astype(np.float64)

        return cls(
            hits=total((preds == 1) & (targets == 1)),
            predicted=total((preds == 1) & known),
            support=total(targets == 1),
            known=total(known),
        )

    def accuracy(self) -> np.ndarray:
        """Of known labels."""
        return 1 - self.error()

    def error(self) -> np.ndarray:
        """Of known labels."""
        wrong = self.support + self.predicted - 2 * self.hits
        return divide_or_nan(wrong.sum(axis=1), self.known.sum(axis=1))

    def agreement(self, whole: Counts | None = None) -> dict[str, np.ndarray]:
        """And balanced accuracy: the mean over labels that are present and absent somewhere."""
        found = self._label_agreement()
        if isinstance(whole, LabelCounts):
            found = filled(found, whole._label_agreement())
        return {name: mean_of_defined(values) for name, values in found.items()}

    def _label_agreement(self) -> dict[str, np.ndarray]:
        """Of each label, shape (R, L); NaN where it is not both present and absent."""
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
        return {name: np.where(both, values, np.nan) for name, values in found.items()}


def rates_of(hits: np.ndarray, predicted: np.ndarray, support: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 from counts of one shape; 0 where nothing is divided by."""
    return {
        "precision": divide(hits, predicted),
        "recall": divide(hits, support),
        "f1": divide(2 * hits, predicted + support),
    }


def filled(values: dict[str, np.ndarray], whole: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values (R, C) with those of `whole` (1, C) where they are NaN."""
    return {name: np.where(np.isnan(each), whole[name], each) for name, each in values.items()}


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
