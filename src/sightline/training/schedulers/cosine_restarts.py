"""Half cosines with restarts, timm's."""

from typing import Annotated, Any

from pydantic import Field
from timm.scheduler import CosineLRScheduler
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


def cosine_restarts(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    interval: Interval,
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    cooldown_epochs: Epochs,
    final_lr_factor: Share,
    cycles: Annotated[int, Field(ge=1)],
    cycle_mul: Annotated[float, Field(ge=1)],
    cycle_decay: PositiveShare,
) -> LambdaLR:
    """Cosines from lr to `final_lr_factor` × lr, one after another (Loshchilov and Hutter, 2017).

    Args:
        optimizer: whose learning rates are the peaks.
        total_steps: optimizer steps of the whole training.
        steps_per_epoch: optimizer steps of one epoch.
        interval: step, or epoch: the same learning rate for a whole epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        cooldown_epochs: how long the final learning rate is held at the end, in epochs.
        final_lr_factor: factor at the end of each cycle.
        cycles: how many there are between warm-up and cooldown.
        cycle_mul: length of each cycle, as a factor of the one before.
        cycle_decay: peak of each cycle, as a factor of the one before.
    """
    warm = warmup_epochs * steps_per_epoch
    length = max(1.0, total_steps - warm - cooldown_epochs * steps_per_epoch)
    # timm's type is int alone, but any number is taken.
    first: Any = length / sum(cycle_mul**number for number in range(cycles))

    def make(one: Optimizer) -> CosineLRScheduler:
        return CosineLRScheduler(
            one, first, final_lr_factor, cycle_mul, cycle_decay, cycles,
            **warmup(warm, warmup_start_factor, prefix=True),
        )  # fmt: skip

    return scheduled(optimizer, make, interval, steps_per_epoch)
