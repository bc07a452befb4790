"""Proper scores of probabilities: log loss and Brier score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from sightline.metrics.decided import DecidedTable, ResampledTable


class MeanLoss(Metric):
    """The mean over known answers of one of `Confidences`' losses."""

    higher_is_better = False
    basis = "probabilities"
    role = "headline"
    scale = "log"

    def __init__(self, name: str, loss: str, place: int, formula: str, source: str) -> None:
        self.name = name
        self.loss = loss
        self.place = place
        self.formula = formula
        self.source = source

    def value(self, table: DecidedTable) -> float:
        """Undefined where no answer is known."""
        known = ~np.isnan(table.confidences.outcome)
        losses: np.ndarray = getattr(table.confidences, self.loss)
        return float(losses[known].mean()) if known.any() else float("nan")

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Each sample's losses are counted as often as it is drawn."""
        from sightline.label_modes.counts import divide_or_nan

        sums, counts = table.table.cached(self.name, lambda: self._sums(table.table))
        return divide_or_nan(sums @ table.weights, counts @ table.weights)

    def _sums(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Each sample's sum of losses, and its number of known answers: both (N,), double."""
        known = ~np.isnan(table.confidences.outcome.reshape(len(table), -1))
        losses: np.ndarray = getattr(table.confidences, self.loss)
        return np.nansum(losses.reshape(known.shape), axis=1), known.sum(axis=1).astype(np.float64)


METRICS = [
    MeanLoss("log_loss", "log_loss", 0, "(1/N) Σ -ln p of y", "scikit-learn's log_loss"),
    MeanLoss(
        "brier",
        "squared_error",
        1,
        "(1/N) Σ (p - [y])², in multiclass summed over the classes",
        "Brier 1950; scikit-learn's brier_score_loss",
    ),
]
