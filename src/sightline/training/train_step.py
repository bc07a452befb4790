"""One training step: the loss of a batch, and its part in the sums of the epoch."""

import torch
from torch import Tensor, nn

from sightline.data.loading.datasets import Batch
from sightline.label_modes.base import MISSING, LabelMode
from sightline.models.classifier import Classifier
from sightline.training.epoch_sums import EpochSums, weight_of


def train_step(
    label_mode: LabelMode, classifier: Classifier, batch: Batch, criterion: nn.Module,
    sums: EpochSums,
) -> Tensor:  # fmt: skip
    """The mean loss of a batch, which is added to the sums.

    Args:
        label_mode: of the targets.
        classifier: that is trained.
        batch: images and targets, mixed ones too.
        criterion: of `label_mode.loss_inputs`.
        sums: of the epoch.
    """
    logits, target = classifier(batch["image"]), batch["target"]
    inputs = label_mode.loss_inputs(logits, target)
    loss: Tensor = criterion(*inputs)
    with torch.no_grad():
        sums.add_loss(loss.detach(), weight_of(criterion, inputs[1]), len(target))
        if not target.is_floating_point():  # for mixed images no decision is right or wrong
            known = target != MISSING
            right = label_mode.decide(label_mode.probs(logits.detach())) == target
            sums.add_decisions(right, known)
    return loss
