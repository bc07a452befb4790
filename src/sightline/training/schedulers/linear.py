"""A straight line down, timm's polynomial of power 1."""

from typing import Any

from timm.scheduler import PolyLRScheduler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from sightline.training.schedulers.of_timm import Epochs, Interval, Share, scheduled, warmup


def linear(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    interval: Interval,
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    cooldown_epochs: Epochs,
    final_lr_factor: Share,
) -> LambdaLR:
    """From lr down to `final_lr_factor` × lr in a straight line.

    Args:
        optimizer: whose learning rates are the peaks.
        total_steps: optimizer steps of the whole training.
        steps_per_epoch: optimizer steps of one epoch.
        interval: step, or epoch: the same learning rate for a whole epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        cooldown_epochs: how long the final learning rate is held at the end, in epochs.
        final_lr_factor: factor from the end of the line on.
    """
    warm = warmup_epochs * steps_per_epoch
    # timm's type is int alone, but any number is taken.
    length: Any = max(1.0, total_steps - warm - cooldown_epochs * steps_per_epoch)

    def make(one: Optimizer) -> PolyLRScheduler:
        return PolyLRScheduler(
            one, length, power=1.0, lr_min=final_lr_factor,
            **warmup(warm, warmup_start_factor, prefix=True),
        )  # fmt: skip

    return scheduled(optimizer, make, interval, steps_per_epoch)
