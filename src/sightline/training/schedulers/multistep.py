"""Steps down at given epochs, timm's with the milestones of torch."""

from typing import Annotated, Any

from pydantic import Field
from timm.scheduler import MultiStepLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from sightline.errors import UserError
from sightline.training.schedulers.of_timm import (
    Epochs,
    Interval,
    PositiveShare,
    Share,
    scheduled,
    warmup,
)


def multistep(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    interval: Interval,
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    final_lr_factor: Share,
    milestones: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)],
    decay_rate: PositiveShare,
) -> LambdaLR:
    """The learning rate times `decay_rate` at each milestone, counted from the first epoch.

    Args:
        optimizer: whose learning rates are the first.
        total_steps: optimizer steps of the whole training.
        steps_per_epoch: optimizer steps of one epoch.
        interval: step, or epoch: the same learning rate for a whole epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        final_lr_factor: the least factor.
        milestones: epochs after which the learning rate is lower, in ascending order.
        decay_rate: factor at each.

    Raises:
        UserError: milestones that do not ascend, or that the training does not reach.
    """
    if milestones != sorted(set(milestones)):
        raise UserError(
            f"scheduler.milestones={milestones}: expected epochs in ascending order, each once."
        )
    if milestones[-1] * steps_per_epoch >= total_steps:
        raise UserError(
            f"scheduler.milestones={milestones}: the training ends after "
            f"{total_steps / steps_per_epoch:g} epochs, and never reaches {milestones[-1]:g}."
        )
    # timm counts a milestone from the step before it; torch from the step itself.
    steps: Any = [milestone * steps_per_epoch + 1 for milestone in milestones]

    def make(one: Optimizer) -> MultiStepLRScheduler:
        return MultiStepLRScheduler(
            one, steps, decay_rate,
            **warmup(warmup_epochs * steps_per_epoch, warmup_start_factor, prefix=False),
        )  # fmt: skip

    return scheduled(optimizer, make, interval, steps_per_epoch, final_lr_factor)
