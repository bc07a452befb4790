"""Rankings of each sample's labels (Tsoumakas et al. 2010), by scikit-learn's definitions.

torchmetrics treats tied scores in another way than scikit-learn and gives no value of a sample, so
that they are computed here. They are of the samples whose labels are all known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from sightline.metrics.decided import DecidedTable, ResampledTable
    from sightline.metrics.estimates import Scale

PAIRS = 20_000_000  # pairs of labels that are held at a time


class SampleRanking(Metric):
    """A mean over samples."""

    source = "Tsoumakas et al. 2010; scikit-learn's function of a like name"
    modes = ("multi_label",)
    basis = "ranking"

    def __init__(
        self, name: str, formula: Callable[[Tensor, Tensor], Tensor], higher_is_better: bool,
        place: int, scale: Scale, text: str,
    ) -> None:  # fmt: skip
        self.name = name
        self.of_samples = formula
        self.formula = f"the mean over samples of: {text}"
        self.higher_is_better = higher_is_better
        self.place = place
        self.scale = scale

    def value(self, table: DecidedTable) -> float:
        """Undefined where no sample's labels are all known."""
        values, known = self._of_samples(table)
        return float(values.sum() / known.sum()) if known.any() else float("nan")

    def resampled(self, table: ResampledTable) -> np.ndarray:
        """Each sample's value is counted as often as it is drawn."""
        from sightline.label_modes.counts import divide_or_nan

        values, known = self._of_samples(table.table)
        return divide_or_nan(values @ table.weights, known.astype(float) @ table.weights)

    def _of_samples(self, table: DecidedTable) -> tuple[np.ndarray, np.ndarray]:
        """Each sample's value, 0 where a label is not known, and where all are: both (N,)."""

        def compute() -> tuple[np.ndarray, np.ndarray]:
            rows = table.answers[1].all(dim=1)
            values = np.zeros(len(table))
            if rows.any():
                values[rows.numpy()] = self.of_samples(
                    table.probs[rows], table.target[rows]
                ).numpy()
            return values, rows.numpy()

        return table.cached(self.name, compute)


def coverage_error(probs: Tensor, target: Tensor) -> Tensor:
    """Labels that must be taken in order of their scores to include every present one."""
    import torch

    present = target == 1
    lowest = torch.where(present, probs, torch.inf).min(dim=1).values
    return ((probs >= lowest[:, None]).sum(dim=1)).double()


def ranking_average_precision(probs: Tensor, target: Tensor) -> Tensor:
    """The share of present labels among those ranked up to each present one.

    Samples with all labels or none count as 1.
    """
    import torch

    scores = []
    for not_below, present in _pairs(probs, target):
        ranks = not_below.sum(dim=2).double()
        found = (not_below & present[:, None, :]).sum(dim=2)
        count = present.sum(dim=1)
        score = torch.where(present, found / ranks, 0.0).sum(dim=1) / count.clamp(min=1)
        scores.append(torch.where(count == 0, 1.0, score))
    return torch.cat(scores)


def ranking_loss(probs: Tensor, target: Tensor) -> Tensor:
    """The share of a sample's pairs (present, absent) of labels that are in wrong order.

    Args:
        probs: shape (N, L).
        target: shape (N, L), 0 or 1; samples without both count as 0.
    """
    import torch

    losses = []
    for not_below, present in _pairs(probs, target):
        absent = ~present
        wrong = (not_below & present[:, :, None] & absent[:, None, :]).sum(dim=(1, 2))
        pairs = present.sum(dim=1) * absent.sum(dim=1)
        losses.append(wrong / pairs.clamp(min=1).double())
    return torch.cat(losses)


def _pairs(probs: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of n samples: label j scores no lower than i (n, i, j), and present labels (n, L)."""
    step = max(1, PAIRS // probs.shape[1] ** 2)
    for start in range(0, len(probs), step):
        part = probs[start : start + step]
        yield part[:, None, :] >= part[:, :, None], target[start : start + step] == 1


METRICS = [
    SampleRanking(
        "coverage_error",
        coverage_error,
        False,
        90,
        "log",
        "labels to take in order of p to include every present one",
    ),
    SampleRanking(
        "ranking_average_precision",
        ranking_average_precision,
        True,
        91,
        "logit",
        "the share of present labels among those ranked up to each present one",
    ),
    SampleRanking(
        "ranking_loss",
        ranking_loss,
        False,
        92,
        "logit",
        "the share of pairs (present, absent) in wrong order",
    ),
]
