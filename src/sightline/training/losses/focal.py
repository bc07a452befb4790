"""Focal loss (Lin et al. 2017): well classified samples count less, by (1 - p)^gamma."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from sightline.label_modes.base import LabelMode
from sightline.label_modes.sigmoid import count_known, known_targets, mean_of_known
from sightline.training.losses.cross_entropy import Smoothing

Gamma = Annotated[float, Field(ge=0)]


def focal(
    label_mode: LabelMode,
    gamma: Gamma,
    label_smoothing: Smoothing = 0.0,  # not in configs before 0.2.0
) -> nn.Module:
    """Focal loss of the softmax, or of sigmoids for binary and multilabel.

    Args:
        label_mode: decides which.
        gamma: 0 gives cross-entropy.
        label_smoothing: share of the target that is spread over the classes.
    """
    form = SoftmaxFocal if label_mode.exclusive else SigmoidFocal
    return form(gamma, label_smoothing)


class SoftmaxFocal(nn.Module):
    """Focal loss of class indices (B,) or shares (B, C).

    Args:
        gamma: the power of 1 - p.
        label_smoothing: share of the target that is spread over the classes.
    """

    def __init__(self, gamma: float, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over samples."""
        log_probs = logits.log_softmax(dim=1)
        terms = -((1 - log_probs.exp()) ** self.gamma) * log_probs
        if target.ndim == 1:
            losses = terms.gather(1, target[:, None]).squeeze(1)
        else:
            losses = (terms * target).sum(dim=1)
        if self.label_smoothing:
            losses = torch.lerp(losses, terms.mean(dim=1), self.label_smoothing)
        return losses.mean()


class SigmoidFocal(nn.Module):
    """torchvision's focal loss over the known targets.

    Args:
        gamma: the power of 1 - p.
        label_smoothing: in [0, 1): targets move this share of the way to 0.5.
    """

    def __init__(self, gamma: float, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over known targets."""
        known, target = known_targets(target)
        losses = self._of(logits, target)
        if self.label_smoothing:
            other = self._of(logits, 1 - target)
            losses = torch.lerp(losses, (losses + other) / 2, self.label_smoothing)
        return mean_of_known(losses, known)

    def _of(self, logits: Tensor, target: Tensor) -> Tensor:
        losses: Tensor = sigmoid_focal_loss(
            logits, target, alpha=-1, gamma=self.gamma, reduction="none"
        )
        return losses

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: the number of known targets, a scalar."""
        return count_known(target)
