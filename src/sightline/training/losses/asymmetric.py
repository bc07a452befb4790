"""Asymmetric loss (Ridnik et al. 2021) for multilabel: easy negatives count less than positives."""

from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.label_modes.sigmoid import count_known, known_targets
from sightline.training.losses.cross_entropy import Smoothing
from sightline.training.losses.focal import Gamma


def asymmetric(
    label_mode: LabelMode, gamma_negative: Gamma, gamma_positive: Gamma, clip: Smoothing
) -> nn.Module:
    """timm's asymmetric loss.

    Raises:
        UserError: a label mode other than multilabel.
    """
    if not label_mode.multi_label:
        raise UserError(
            f"loss=asymmetric is for label_mode=multilabel, not for {label_mode.name}; use "
            "loss=cross_entropy or loss=focal."
        )
    return Asymmetric(gamma_negative, gamma_positive, clip)


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
