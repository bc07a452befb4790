"""The losses, by their names in `conf/loss`.

Each takes what the label mode's `loss_inputs` returns, and is refused where it does not apply.
"""

import logging
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.sigmoid import count_known, known_targets, mean_of_known

log = logging.getLogger(__name__)

ClassWeights = Literal["auto", "balanced"] | list[float] | None
Smoothing = Annotated[float, Field(ge=0, lt=1)]
Gamma = Annotated[float, Field(ge=0)]
IMBALANCE = 3.0  # class_weights=auto balances from this ratio of the largest class to the smallest


def cross_entropy(
    label_mode: LabelMode,
    train_targets: np.ndarray | None,
    class_weights: ClassWeights,
    label_smoothing: Smoothing,
) -> nn.Module:
    """The label mode's own: softmax cross-entropy, or sigmoid for binary and multilabel.

    Args:
        label_mode: decides which.
        train_targets: encoded; balanced weights come from them. None where they are streamed.
        class_weights: one number a class; balanced: all classes together weigh the same (for
            multilabel, each label's presence as much as its absence); auto: balanced where the
            largest class has at least 3 times as many images as the smallest.
        label_smoothing: share of the target that is spread over the classes.
    """
    weights = _weights(label_mode, train_targets, class_weights)
    return label_mode.criterion(weights, label_smoothing)


def bce(
    label_mode: LabelMode,
    train_targets: np.ndarray | None,
    class_weights: ClassWeights,
    label_smoothing: Smoothing,
) -> nn.Module:
    """Sigmoid cross-entropy: what `cross_entropy` is for binary and multilabel, and only there."""
    _refuse(label_mode.exclusive, label_mode, "bce", "binary and multilabel")
    return cross_entropy(label_mode, train_targets, class_weights, label_smoothing)


def focal(label_mode: LabelMode, gamma: Gamma) -> nn.Module:
    """Focal loss (Lin et al. 2017): well classified samples count less, by (1 - p)^gamma."""
    return SoftmaxFocal(gamma) if label_mode.exclusive else SigmoidFocal(gamma)


def asymmetric(
    label_mode: LabelMode, gamma_negative: Gamma, gamma_positive: Gamma, clip: Smoothing
) -> nn.Module:
    """Asymmetric loss (Ridnik et al. 2021), timm's: easy negatives count less than positives."""
    _refuse(not label_mode.multi_label, label_mode, "asymmetric", "multilabel")
    return Asymmetric(gamma_negative, gamma_positive, clip)


class SoftmaxFocal(nn.Module):
    """Focal loss of class indices (B,) or shares (B, C)."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over samples."""
        log_probs = logits.log_softmax(dim=1)
        terms = -((1 - log_probs.exp()) ** self.gamma) * log_probs
        if target.ndim == 1:
            return terms.gather(1, target[:, None]).mean()
        return (terms * target).sum(dim=1).mean()


class SigmoidFocal(nn.Module):
    """torchvision's focal loss over the known targets."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over known targets."""
        known, target = known_targets(target)
        losses = sigmoid_focal_loss(logits, target, alpha=-1, gamma=self.gamma, reduction="none")
        return mean_of_known(losses, known)

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: the number of known targets, a scalar."""
        return count_known(target)


class Asymmetric(nn.Module):
    """timm's asymmetric loss over the known targets."""

    def __init__(self, gamma_negative: float, gamma_positive: float, clip: float) -> None:
        super().__init__()
        from timm.loss import AsymmetricLossMultiLabel  # timm takes a second to import

        self.loss = AsymmetricLossMultiLabel(gamma_negative, gamma_positive, clip)
        self.loss.reduction = "sum"  # timm 1.0.20 always sums; later ones divide by the batch size

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over known targets (timm's own is their sum, or that over the batch size)."""
        known, target = known_targets(target)
        # A certain "no" to a target of 0 costs nothing and has no gradient.
        logits = logits.float().masked_fill(known == 0, -50.0)
        total: Tensor = self.loss(logits, target.float())
        return total / known.sum().clamp(min=1)

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: the number of known targets, a scalar."""
        return count_known(target)


def _weights(
    label_mode: LabelMode, targets: np.ndarray | None, class_weights: ClassWeights
) -> Tensor | None:
    if class_weights is None:
        return None
    if targets is None:
        raise UserError(
            "loss.class_weights: the data is read in sequence, so its classes are not counted; "
            "use loss.class_weights=null."
        )
    if isinstance(class_weights, list):
        return label_mode.weights(class_weights, targets)
    weights = label_mode.weights(None, targets)
    if class_weights == "auto":
        counts = [count for count in label_mode.count(targets).values() if count]
        if max(counts) < IMBALANCE * min(counts):
            log.info("weights: none (auto: the largest class is under 3 times the smallest)")
            return None
    shown = ", ".join(f"{value:.3g}" for value in torch.atleast_1d(weights)[:10].tolist())
    log.info("weights: %s", shown)
    return weights


def _refuse(refused: bool, label_mode: LabelMode, loss: str, modes: str) -> None:
    if refused:
        raise UserError(
            f"loss={loss} is for label_mode={modes}, not for {label_mode.name}; use "
            "loss=cross_entropy or loss=focal."
        )
