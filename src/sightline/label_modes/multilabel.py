"""Any number of labels an image: a sigmoid for each of L outputs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.label_modes.base import MISSING, divide_logits, one_a_class
from sightline.label_modes.multi_label import MultiLabel
from sightline.label_modes.sigmoid import SigmoidCrossEntropy


class Multilabel(MultiLabel):
    """Each of L labels is there or not; a label is decided where its probability is over 0.5."""

    name = "multilabel"
    multi_label = True

    @property
    def num_outputs(self) -> int:
        """One logit a label."""
        return len(self.class_names)

    def check(self, targets: np.ndarray, where: str) -> None:
        """Refuse targets that are one class an image."""
        if targets.ndim != 2:
            raise UserError(
                f"label_mode=multilabel needs any number of labels an image, but {where} gives "
                f"each image one of {len(self.class_names)} classes; use label_mode="
                f"{'binary' if len(self.class_names) == 2 else 'multiclass'}."
            )

    def encode(self, targets: np.ndarray) -> np.ndarray:
        """Rows of 0, 1 and MISSING."""
        return targets.astype(np.int8)

    def criterion(self, weights: Tensor | None, label_smoothing: float) -> nn.Module:
        """Sigmoid cross-entropy, the mean over samples and known labels."""
        return SigmoidCrossEntropy(weights, label_smoothing)

    def weights(self, per_class: Sequence[float] | None, targets: np.ndarray) -> Tensor:
        """The weight of each label's presence beside its absence; balanced: absent/present."""
        if per_class is not None:
            return one_a_class(per_class, self.class_names)
        present, absent = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
        balanced = np.where(present > 0, absent / np.maximum(present, 1), 1.0)
        return torch.tensor(balanced, dtype=torch.float32)

    def loss_inputs(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and targets (B, L) of 0.0 to 1.0, NaN where a label is not known."""
        return logits, self.soft(target).to(logits.dtype)

    def soft(self, target: Tensor) -> Tensor:
        """Rows of 0.0 and 1.0, NaN where a label is not known."""
        if target.is_floating_point():
            return target
        return torch.where(target == MISSING, torch.nan, target.float())

    def margin(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """Between a label's probability and its threshold, of the label where it is least."""
        at = torch.tensor(thresholds or [0.5] * probs.shape[1], dtype=probs.dtype)
        return (probs - at.to(probs.device)).abs().amin(dim=1)

    def probs(self, logits: Tensor) -> Tensor:
        """A sigmoid for each label."""
        return logits.float().sigmoid()

    def calibrate(self, probs: Tensor, temperature: float) -> Tensor:
        """The logit of each label divided; what float32 rounded to 1 counts as just below it."""
        present = probs.double().clamp(max=1 - torch.finfo(torch.float32).eps / 2)
        both = torch.stack([1 - present, present], dim=-1)
        return divide_logits(both, temperature)[..., 1]

    def decide(self, probs: Tensor, thresholds: Sequence[float] | None = None) -> Tensor:
        """1 where a label's probability is over 0.5, or over its own threshold."""
        if thresholds is None:
            return (probs > 0.5).long()
        return (probs > torch.tensor(thresholds, dtype=probs.dtype, device=probs.device)).long()
