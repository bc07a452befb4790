"""Cross-entropy of independent yes-or-no outputs, where some answers are not known."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


class SigmoidCrossEntropy(nn.Module):
    """The mean over all known targets.

    Args:
        pos_weight: of the positive targets, of shape (), (L,), or None for 1.
        label_smoothing: in [0, 1): targets move this share of the way to 0.5.
    """

    pos_weight: Tensor | None

    def __init__(self, pos_weight: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("pos_weight", pos_weight, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Logits and targets of one shape; targets in [0, 1], or NaN where not known."""
        known, target = known_targets(target)
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        losses = binary_cross_entropy_with_logits(
            logits, target, pos_weight=self.pos_weight, reduction="none"
        )
        return mean_of_known(losses, known)

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: the number of known targets, a scalar."""
        return count_known(target)


def count_known(target: Tensor) -> Tensor:
    """How many targets are known."""
    return (~torch.isnan(target)).sum()


def absent_and_present(probs: Tensor) -> Tensor:
    """Probabilities (..., 2), double; what float32 rounded to 1 counts as just below it."""
    present = probs.double().clamp(max=1 - torch.finfo(torch.float32).eps / 2)
    return torch.stack([1 - present, present], dim=-1)


def known_targets(target: Tensor) -> tuple[Tensor, Tensor]:
    """Where targets are known (1.0 or 0.0), and the targets with 0 where they are not."""
    known = ~torch.isnan(target)
    return known.to(target.dtype), torch.where(known, target, 0.0)


def mean_of_known(losses: Tensor, known: Tensor) -> Tensor:
    """The mean of `losses` where `known` is 1; 0 where nothing is known."""
    mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
    return mean
