"""The shift of the classes' shares that a training sees, by its loss or a balanced sampler."""

import numpy as np
import torch
from torch import nn

from sightline.label_modes.base import LabelMode
from sightline.label_modes.sigmoid import SigmoidCrossEntropy
from sightline.training.losses.bce import HardTargets
from sightline.training.losses.logit_adjustment import LogitAdjusted


def prior_shift(
    label_mode: LabelMode, criterion: nn.Module, train_targets: np.ndarray | None, sampler: str
) -> np.ndarray | None:
    """What the loss and the sampler add to the logit of each output, shape (num_outputs,), or None.

    A model that is fitted under weights gives odds that are multiplied by them (Saerens et al.
    2002); one that is fitted with adjusted logits leaves out what was added. Losses that weigh
    samples by their difficulty (focal, asymmetric) are not counted.

    Args:
        label_mode: of the targets.
        criterion: of the training.
        train_targets: encoded; None where they are streamed, in the order of the stream.
        sampler: shuffle, or balanced.
    """
    shift = np.zeros(label_mode.num_outputs)
    weight = None
    if isinstance(criterion, HardTargets):
        criterion = criterion.criterion
    if isinstance(criterion, nn.CrossEntropyLoss):
        weight = criterion.weight
    elif isinstance(criterion, SigmoidCrossEntropy):
        weight = criterion.pos_weight
    elif isinstance(criterion, LogitAdjusted):
        shift -= criterion.adjustment.cpu().double().numpy()
    if weight is not None:
        shift += torch.atleast_1d(weight.detach().cpu().double().log()).numpy()
    if sampler == "balanced" and train_targets is not None:
        drawn = label_mode.sampling_weights(train_targets)
        seen = label_mode.prior_logits(train_targets, drawn / drawn.mean())
        shift += seen - label_mode.prior_logits(train_targets)
    shift -= shift.mean() if label_mode.exclusive else 0  # softmax does not see a constant
    return shift if np.abs(shift).max() > 1e-3 else None
