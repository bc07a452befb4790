"""One training step: the loss of a batch, and its part in the sums of the epoch."""

import torch
from torch import Tensor, nn

from sightline.data.loading.datasets import Batch
from sightline.errors import UserError
from sightline.label_modes.base import LabelMode
from sightline.models.classifier import Classifier
from sightline.training.epoch_sums import EpochSums, weight_of
from sightline.training.methods.base import Method, StepOutput
from sightline.types import MISSING

RESERVED = {"loss", "accuracy", "images_per_second", "lr"}


def train_step(
    method: Method, label_mode: LabelMode, classifier: Classifier, batch: Batch,
    criterion: nn.Module, sums: EpochSums,
) -> Tensor:  # fmt: skip
    """The mean loss of a batch by a method, which is added to the sums.

    Args:
        method: that makes the loss.
        label_mode: of the targets.
        classifier: that is trained.
        batch: images and targets, mixed ones too.
        criterion: of `label_mode.loss_inputs`.
        sums: of the epoch.
    """
    target = batch["target"]

    def loss_of(logits: Tensor, of: Tensor) -> Tensor:
        loss: Tensor = criterion(*label_mode.loss_inputs(logits, of))
        return loss

    output = method.step(classifier, batch, loss_of)
    check_output(output, type(method).__name__, len(target))
    logits, loss = output.logits, output.loss
    with torch.no_grad():
        weight = weight_of(criterion, label_mode.loss_inputs(logits, target)[1])
        sums.add_loss(loss.detach(), weight, len(target))
        sums.add_logs(output.logs, len(target))
        if not target.is_floating_point():  # for mixed images no decision is right or wrong
            known = target != MISSING
            right = label_mode.decide(label_mode.probs(logits.detach())) == target
            sums.add_decisions(right, known)
    return loss


def check_output(output: object, method: str, size: int) -> None:
    """Check what a method returned.

    Raises:
        UserError: it is not a StepOutput of a batch of `size`, with a loss that is one number.
    """
    if not isinstance(output, StepOutput):
        raise UserError(
            f"method: {method}.step returned {type(output).__name__}; expected a StepOutput(loss, "
            "logits, logs) of sightline.training.methods.base."
        )
    if output.loss.ndim or len(output.logits) != size:
        raise UserError(
            f"method: {method}.step returned a loss of shape {tuple(output.loss.shape)} and logits "
            f"of {len(output.logits)} images; expected one number, and {size} images."
        )
    if taken := RESERVED & set(output.logs):
        raise UserError(
            f"method: {method}.step logs {min(taken)}, a name that the training has itself; "
            "give it another."
        )
