"""Logit-adjusted cross-entropy (Menon et al. 2021) for classes of very unequal size."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from sightline.label_modes.base import LabelMode
from sightline.training.epoch_sums import weight_of
from sightline.training.losses.class_weights import counted
from sightline.training.losses.cross_entropy import Smoothing

Strength = Annotated[float, Field(gt=0)]


def logit_adjustment(
    label_mode: LabelMode,
    train_targets: np.ndarray | None,
    tau: Strength,
    label_smoothing: Smoothing,
) -> nn.Module:
    """Cross-entropy of logits to which the logits of the classes' shares are added.

    The model then learns what speaks for a class beside its share, so that rare classes are chosen
    as often as they are for equal shares. With tau = 1 it is balanced softmax (Ren et al. 2020).

    Args:
        label_mode: of the targets; for binary and multilabel each share is a label's own.
        train_targets: encoded; None where they are streamed.
        tau: factor of what is added.
        label_smoothing: share of the target that is spread over the classes.

    Raises:
        UserError: the classes cannot be counted.
    """
    targets = counted(train_targets, "loss=logit_adjustment", "loss=cross_entropy")
    adjustment = torch.from_numpy(tau * label_mode.prior_logits(targets)).float()
    return LogitAdjusted(label_mode.criterion(None, label_smoothing), adjustment)


class LogitAdjusted(nn.Module):
    """A criterion of logits to which a constant is added.

    Args:
        criterion: takes logits and targets.
        adjustment: of each output, shape (num_outputs,).
    """

    adjustment: Tensor

    def __init__(self, criterion: nn.Module, adjustment: Tensor) -> None:
        super().__init__()
        self.criterion = criterion
        self.register_buffer("adjustment", adjustment, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Of logits (B,) or (B, num_outputs), and targets that the criterion takes."""
        loss: Tensor = self.criterion(logits + self.adjustment, target)
        return loss

    def weight_of(self, target: Tensor) -> Tensor | int:
        """The sum that the criterion's mean divides by."""
        return weight_of(self.criterion, target)
