"""timm's schedules as a factor of each group's learning rate, by the step or by the epoch."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from timm.scheduler.scheduler import Scheduler
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR

Interval = Literal["step", "epoch"]
Epochs = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]


def scheduled(
    optimizer: Optimizer,
    make: Callable[[Optimizer], Scheduler],
    interval: Interval,
    steps_per_epoch: int,
    floor: float = 0.0,
) -> LambdaLR:
    """One of timm's schedules, for all groups of an optimizer.

    timm's is asked for a learning rate of 1, which gives the factor. It depends on the step
    alone, so that a resumed training needs nothing of it.

    Args:
        optimizer: whose learning rates are the peaks.
        make: timm's schedule of an optimizer, which counts steps.
        interval: epoch: the learning rate is the same for a whole epoch.
        steps_per_epoch: optimizer steps of one epoch.
        floor: the least factor, of schedules that have none of their own.
    """
    one = SGD([torch.zeros(1)], lr=1.0)
    schedule = make(one)

    def factor(step: int) -> float:
        schedule.step_update(step - step % steps_per_epoch if interval == "epoch" else step)
        return max(floor, float(one.param_groups[0]["lr"]))

    return LambdaLR(optimizer, factor)


def warmup(steps: float, start_factor: float, prefix: bool | None = None) -> dict[str, Any]:
    """timm's arguments of a linear warm-up.

    Args:
        steps: its length.
        start_factor: at the first step.
        prefix: whether the schedule begins after it; None for a schedule that always does.
    """
    given = {"t_in_epochs": False, "warmup_t": steps, "warmup_lr_init": start_factor}
    return given | ({} if prefix is None else {"warmup_prefix": prefix})
