"""How well each sample's own labels are ranked (Tsoumakas et al. 2010), tied scores as the worst.

torchmetrics takes tied scores another way than scikit-learn, and samples one at a time; these are
scikit-learn's definitions for all samples at once.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

PAIRS = 20_000_000  # how many pairs of labels are held at a time


def ranking_loss(probs: Tensor, target: Tensor) -> Tensor:
    """Share of the pairs (present, absent) of a sample's labels in wrong order, the mean over all.

    Args:
        probs: shape (N, L).
        target: shape (N, L), 0 or 1; samples without both count as 0.
    """
    losses = []
    for not_below, present in _pairs(probs, target):
        absent = ~present
        wrong = (not_below & present[:, :, None] & absent[:, None, :]).sum(dim=(1, 2))
        pairs = present.sum(dim=1) * absent.sum(dim=1)
        losses.append(wrong / pairs.clamp(min=1).double())
    return torch.cat(losses).mean()


def ranking_average_precision(probs: Tensor, target: Tensor) -> Tensor:
    """The share of present labels among those ranked up to each present one, the mean over all.

    Samples with all labels or none count as 1.
    """
    scores = []
    for not_below, present in _pairs(probs, target):
        ranks = not_below.sum(dim=2).double()
        found = (not_below & present[:, None, :]).sum(dim=2)
        count = present.sum(dim=1)
        score = torch.where(present, found / ranks, 0.0).sum(dim=1) / count.clamp(min=1)
        scores.append(torch.where(count == 0, 1.0, score))
    return torch.cat(scores).mean()


def _pairs(probs: Tensor, target: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Chunks of samples: whether label j scores no lower than i (n, i, j), and what is present."""
    step = max(1, PAIRS // probs.shape[1] ** 2)
    for start in range(0, len(probs), step):
        part = probs[start : start + step]
        yield part[:, None, :] >= part[:, :, None], target[start : start + step] == 1
