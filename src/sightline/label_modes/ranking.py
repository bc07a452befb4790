"""How well labels are ranked: each label's samples, and each sample's labels."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multilabel_auroc,
    multilabel_average_precision,
    multilabel_coverage_error,
)

from sightline.label_modes.base import MISSING

PAIRS = 20_000_000  # how many pairs of labels are held at a time


def per_label_ranking(probs: Tensor, target: Tensor) -> dict[str, Tensor]:
    """AUROC and average precision of each label, shape (L,); NaN where undefined."""
    count = probs.shape[1]
    some = (target == 1).any(dim=0)
    both = some & (target == 0).any(dim=0)
    if not some.any():
        return dict.fromkeys(("auroc", "average_precision"), torch.full((count,), torch.nan))
    ranked = (probs, target, count)
    auroc = multilabel_auroc(*ranked, average="none", ignore_index=MISSING)
    area = multilabel_average_precision(*ranked, average="none", ignore_index=MISSING)
    return {
        "auroc": auroc.masked_fill(~both, torch.nan),
        "average_precision": area.masked_fill(~some, torch.nan),
    }


def sample_ranking(probs: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Metrics of how each sample's labels are ranked, over samples whose labels are all known."""
    known = (target != MISSING).all(dim=1)
    names = ("coverage_error", "ranking_average_precision", "ranking_loss")
    if not known.any():
        return dict.fromkeys(names, torch.tensor(torch.nan))
    probs, target = probs[known], target[known]
    coverage = multilabel_coverage_error(probs, target, probs.shape[1])
    values = (coverage, ranking_average_precision(probs, target), ranking_loss(probs, target))
    return dict(zip(names, values, strict=True))


# The ranking of a sample's labels (Tsoumakas et al. 2010): torchmetrics takes tied scores another
# way than scikit-learn, and samples one at a time; these are scikit-learn's definitions.


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
