"""Rankings of each sample's labels (Tsoumakas et al. 2010), by scikit-learn's definitions.

torchmetrics treats tied scores in another way than scikit-learn and takes one sample at a time, so
that two of the three are computed here. They are of the samples whose labels are all known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sightline.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from sightline.metrics.decided import DecidedTable

PAIRS = 20_000_000  # pairs of labels that are held at a time


class SampleRanking(Metric):
    """A mean over samples."""

    modes = ("multi_label",)
    basis = "ranking"
    not_resampled = "the pairs of labels of every resample would take minutes"

    def __init__(
        self, name: str, formula: Callable[[Tensor, Tensor], Tensor], higher_is_better: bool,
        place: int,
    ) -> None:  # fmt: skip
        self.name = name
        self.formula = formula
        self.higher_is_better = higher_is_better
        self.place = place

    def value(self, table: DecidedTable) -> float:
        """Undefined where no sample's labels are all known."""
        _, known = table.answers
        rows = known.all(dim=1)
        if not rows.any():
            return float("nan")
        return float(self.formula(table.probs[rows], table.target[rows]))


def coverage_error(probs: Tensor, target: Tensor) -> Tensor:
    """Labels that must be taken in order of their scores to include every present one."""
    from torchmetrics.functional.classification import multilabel_coverage_error

    return multilabel_coverage_error(probs, target, probs.shape[1])


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
    return torch.cat(scores).mean()


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
    return torch.cat(losses).mean()


def _pairs(probs: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of n samples: label j scores no lower than i (n, i, j), and present labels (n, L)."""
    step = max(1, PAIRS // probs.shape[1] ** 2)
    for start in range(0, len(probs), step):
        part = probs[start : start + step]
        yield part[:, None, :] >= part[:, :, None], target[start : start + step] == 1


METRICS = [
    SampleRanking("coverage_error", coverage_error, False, 90),
    SampleRanking("ranking_average_precision", ranking_average_precision, True, 91),
    SampleRanking("ranking_loss", ranking_loss, False, 92),
]
