"""Generalised cross-entropy (Zhang and Sabuncu 2018) for labels of which some are wrong."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from sightline.label_modes.base import LabelMode
from sightline.label_modes.sigmoid import count_known, known_targets, mean_of_known

Power = Annotated[float, Field(gt=0, le=1)]


def generalized_cross_entropy(label_mode: LabelMode, q: Power) -> nn.Module:
    """(1 - p^q) / q of the probability p that the target's class is given.

    Args:
        label_mode: decides between softmax and sigmoids.
        q: near 0 it is cross-entropy, 1 gives the mean absolute error; the paper takes 0.7.
    """
    return SoftmaxGeneralized(q) if label_mode.exclusive else SigmoidGeneralized(q)


class SoftmaxGeneralized(nn.Module):
    """Of class indices (B,) or shares (B, C).

    Args:
        q: the power, in (0, 1].
    """

    def __init__(self, q: float) -> None:
        super().__init__()
        self.q = q

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over samples."""
        terms = _terms(logits.log_softmax(dim=1), self.q)
        if target.ndim == 1:
            return terms.gather(1, target[:, None]).mean()
        return (terms * target).sum(dim=1).mean()


class SigmoidGeneralized(nn.Module):
    """Of yes-or-no targets in [0, 1], NaN where not known.

    Args:
        q: the power, in (0, 1].
    """

    def __init__(self, q: float) -> None:
        super().__init__()
        self.q = q

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over known targets."""
        known, target = known_targets(target)
        yes = _terms(nn.functional.logsigmoid(logits), self.q)
        no = _terms(nn.functional.logsigmoid(-logits), self.q)
        return mean_of_known(target * yes + (1 - target) * no, known)

    def weight_of(self, target: Tensor) -> Tensor:
        """The sum that the mean divides by: the number of known targets, a scalar."""
        return count_known(target)


def _terms(log_probs: Tensor, q: float) -> Tensor:
    return -(q * log_probs).expm1() / q
