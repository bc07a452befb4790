"""Sigmoid cross-entropy in every label mode; for exclusive classes one yes-or-no answer a class."""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.training.epoch_sums import weight_of
from sightline.training.losses.class_weights import ClassWeights
from sightline.training.losses.cross_entropy import Smoothing, cross_entropy

Share = Annotated[float, Field(ge=0, lt=1)]


def bce(
    label_mode: LabelMode,
    train_targets: np.ndarray | None,
    class_weights: ClassWeights,
    label_smoothing: Smoothing,
    target_threshold: Share | None = None,  # not in configs before 0.2.0
) -> nn.Module:
    """Sigmoid cross-entropy: for binary and multilabel `cross_entropy`, for multiclass timm's BCE.

    Args:
        label_mode: of the targets.
        train_targets: encoded; None where they are streamed.
        class_weights: see `make_weights`; for binary and multilabel alone.
        label_smoothing: share of the target that is spread over the classes.
        target_threshold: mixed targets above it count as 1, others as 0, before smoothing (A3's
            recipe, Wightman et al. 2021: 0.2); None: targets stay shares.

    Raises:
        UserError: class weights for multiclass.
    """
    if not label_mode.exclusive:
        criterion = cross_entropy(label_mode, train_targets, class_weights, label_smoothing)
    elif class_weights is None:
        criterion = BceOfClasses(len(label_mode.class_names), label_smoothing)
    else:
        raise UserError(
            f"loss.class_weights={class_weights}: loss=bce takes no weights for label_mode="
            f"{label_mode.name}; use loss.class_weights=null, loss=cross_entropy or "
            "loss=logit_adjustment."
        )
    return criterion if target_threshold is None else HardTargets(criterion, target_threshold)


class BceOfClasses(nn.Module):
    """The mean over samples and classes of sigmoid cross-entropy, as `timm.loss` has it.

    Args:
        classes: their number C.
        label_smoothing: s; a target t becomes t (1 - s) + s / C.
    """

    def __init__(self, classes: int, label_smoothing: float) -> None:
        super().__init__()
        self.classes = classes
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Of logits (B, C) and class indices (B,) or shares (B, C)."""
        shares = nn.functional.one_hot(target, self.classes) if target.ndim == 1 else target
        smoothed = shares * (1 - self.label_smoothing) + self.label_smoothing / self.classes
        return nn.functional.binary_cross_entropy_with_logits(logits, smoothed.to(logits.dtype))


class HardTargets(nn.Module):
    """A criterion of targets that are 1 above a threshold and 0 elsewhere, where known.

    Args:
        criterion: takes logits and targets.
        threshold: in [0, 1).
    """

    def __init__(self, criterion: nn.Module, threshold: float) -> None:
        super().__init__()
        self.criterion = criterion
        self.threshold = threshold

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Of logits and targets that the criterion takes; class indices stay as they are."""
        if target.is_floating_point():
            target = torch.where(target.isnan(), target, (target > self.threshold).to(target.dtype))
        loss: Tensor = self.criterion(logits, target)
        return loss

    def weight_of(self, target: Tensor) -> Tensor | int:
        """The sum that the criterion's mean divides by."""
        return weight_of(self.criterion, target)
