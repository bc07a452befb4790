"""A prediction table under one decision rule, and its resamples; what metrics share is cached.

Point values of decisions use torchmetrics, which the tests compare with scikit-learn. Resampled
forms use counts that are weighted for a thousand resamples in one matrix product: torchmetrics
takes one table a call, which is slower by orders of magnitude. With every sample drawn once both
agree to float32's precision, which the tests hold. Areas under curves are of scores that are sorted
once for both: torchmetrics sorts each class for each of them, for minutes where there are 1,000.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from torch import Tensor

from sightline.label_modes.base import LabelMode
from sightline.label_modes.counts import Counts, filled
from sightline.label_modes.measures import (
    Average,
    Confidences,
    Thresholds,
    double_probs,
    integer_targets,
)
from sightline.label_modes.ranked_scores import RankedScores
from sightline.predictions import Predictions

T = TypeVar("T")


class DecidedTable:
    """A table of N samples, C classes and A answers a sample (1, or one a label), decided.

    Args:
        label_mode: of the table.
        predictions: calibrated where thresholds are given.
        thresholds: over which a probability is a yes; None: the default decision.
        decisions: in the form of the targets, where they were taken before; None: taken here.
    """

    def __init__(
        self, label_mode: LabelMode, predictions: Predictions, thresholds: Thresholds = None,
        decisions: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.label_mode = label_mode
        self.predictions = predictions
        self.thresholds = thresholds
        self.decisions = decisions
        self._cache: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.predictions)

    def cached(self, key: str, make: Callable[[], T]) -> T:
        """`make()`, computed once for this table; several metrics or resamples share it."""
        if key not in self._cache:
            self._cache[key] = make()
        return cast(T, self._cache[key])

    @property
    def probs(self) -> Tensor:
        """Probabilities, shape (N, C), double; made anew, as nothing of the table is larger."""
        return double_probs(self.predictions)

    @cached_property
    def target(self) -> Tensor:
        """Encoded targets, shape (N,) or (N, C)."""
        return integer_targets(self.predictions)

    @cached_property
    def preds(self) -> Tensor:
        """Decisions in the form of the targets."""
        if self.decisions is not None:
            return self.decisions
        return self.label_mode.decide(self.probs, self.thresholds)

    @cached_property
    def answers(self) -> tuple[Tensor, Tensor]:
        """Answers that are right, and answers whose target is known: both (N, A), bool."""
        return self.label_mode.answers(self.preds, self.target)

    @cached_property
    def support(self) -> Tensor:
        """Samples of each class, shape (C,)."""
        return self.label_mode.support(self.target)

    def rate(self, name: str, average: Average) -> Tensor:
        """Precision, recall or F1; average: micro, weighted, or none for shape (C,)."""
        return self.cached(
            f"{name}_{average}",
            lambda: self.label_mode.rate(name, self.preds, self.target, average),
        )

    @cached_property
    def confidences(self) -> Confidences:
        """Confidence, outcome and losses of each answer."""
        return self.label_mode.confidences(self.probs, self.target)

    @cached_property
    def ranked_scores(self) -> list[RankedScores]:
        """Each class's scores, sorted for the areas of many resamples."""
        return self.label_mode.ranked_scores(self.predictions)

    @cached_property
    def counts(self) -> Counts:
        """Hits, decisions and samples of each class, every sample counted once: shape (1, C)."""
        return self.resample(np.ones((len(self), 1), np.float32)).counts

    @cached_property
    def areas(self) -> dict[str, np.ndarray]:
        """AUROC and average precision of each class, shape (1, C); NaN where undefined."""
        return areas_of(self.ranked_scores, np.ones((len(self), 1), np.float32))

    def resample(self, weights: np.ndarray) -> "ResampledTable":
        """R resamples of the table.

        Args:
            weights: how often each sample is drawn, shape (N, R), float32.
        """
        return ResampledTable(self, weights)

    def repeat(self, times: np.ndarray) -> "DecidedTable":
        """The table with each sample repeated so many times; times: shape (N,)."""
        rows = np.repeat(np.arange(len(self)), times.astype(np.int64))
        decisions = None if self.decisions is None else self.decisions[rows]
        table = self.predictions.select(rows)
        return DecidedTable(self.label_mode, table, self.thresholds, decisions)


def areas_of(scores: list[RankedScores], weights: np.ndarray) -> dict[str, np.ndarray]:
    """AUROC and average precision of each class under weights (N, R), shape (R, C)."""
    areas = [each.areas(weights) for each in scores]
    return {
        "auroc": np.stack([auroc for auroc, _ in areas], axis=1),
        "average_precision": np.stack([area for _, area in areas], axis=1),
    }


class ResampledTable:
    """R resamples of a table of N samples, as weights of its samples.

    A class that is in the table and not in a resample keeps the table's value, so that averages are
    of the same classes in all resamples.

    Args:
        table: the table.
        weights: how often each sample is drawn, shape (N, R), float32.
    """

    def __init__(self, table: DecidedTable, weights: np.ndarray) -> None:
        self.table = table
        self.weights = weights

    @cached_property
    def total(self) -> np.ndarray:
        """Samples of each resample, shape (R,), double."""
        return self.weights.sum(axis=0, dtype=np.float64)

    @cached_property
    def counts(self) -> Counts:
        """Hits, decisions and samples of each class, shape (R, C)."""
        table = self.table
        return table.label_mode.counts(table.preds.numpy(), table.target.numpy(), self.weights)

    @cached_property
    def rates(self) -> dict[str, np.ndarray]:
        """Precision, recall and F1 of each class, shape (R, C)."""
        return self.counts.rates(self.table.counts)

    @cached_property
    def averages(self) -> dict[str, np.ndarray]:
        """Micro, macro and weighted averages of the rates, shape (R,)."""
        return self.counts.averages(self.table.counts)

    @cached_property
    def agreement(self) -> dict[str, np.ndarray]:
        """Cohen's kappa and Matthews' coefficient, shape (R,)."""
        return self.counts.agreement(self.table.counts)

    @cached_property
    def areas(self) -> dict[str, np.ndarray]:
        """AUROC and average precision of each class, shape (R, C)."""
        return filled(areas_of(self.table.ranked_scores, self.weights), self.table.areas)
