"""Steps down at equal distances, timm's."""

from typing import Annotated

from pydantic import Field
from timm.scheduler import StepLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from sightline.training.schedulers.of_timm import (
    Epochs,
    Interval,
    PositiveShare,
    Share,
    scheduled,
    warmup,
)


def step(
    optimizer: Optimizer,
    steps_per_epoch: int,
    interval: Interval,
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    final_lr_factor: Share,
    decay_epochs: Annotated[float, Field(gt=0)],
    decay_rate: PositiveShare,
) -> LambdaLR:
    """The learning rate times `decay_rate` every `decay_epochs`, counted from the first epoch.

    Args:
        optimizer: whose learning rates are the first.
        steps_per_epoch: optimizer steps of one epoch.
        interval: step, or epoch: the same learning rate for a whole epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        final_lr_factor: the least factor.
        decay_epochs: distance of the steps, in epochs.
        decay_rate: factor of each.
    """
    warm = warmup_epochs * steps_per_epoch

    def make(one: Optimizer) -> StepLRScheduler:
        return StepLRScheduler(
            one, decay_epochs * steps_per_epoch, decay_rate,
            **warmup(warm, warmup_start_factor, prefix=False),
        )  # fmt: skip

    return scheduled(optimizer, make, interval, steps_per_epoch, final_lr_factor)
