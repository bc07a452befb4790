"""Warm-up, stable, decay; timm's."""

from typing import Any, Literal

from timm.scheduler import WSDLRScheduler
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


def wsd(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    interval: Interval,
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    final_lr_factor: Share,
    decay_fraction: PositiveShare,
    decay: Literal["1-sqrt", "linear", "cosine"],
) -> LambdaLR:
    """The learning rate as it is, and a decay at the end (Hägele et al. 2024).

    Args:
        optimizer: whose learning rates are the peaks.
        total_steps: optimizer steps of the whole training.
        steps_per_epoch: optimizer steps of one epoch.
        interval: step, or epoch: the same learning rate for a whole epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        final_lr_factor: factor at the end.
        decay_fraction: length of the decay, of the training after the warm-up.
        decay: form of the decay.
    """
    warm = warmup_epochs * steps_per_epoch
    # timm's type is int alone, but any number is taken.
    length: Any = max(1.0, total_steps - warm)
    decay_steps = max(1, round(decay_fraction * length))

    def make(one: Optimizer) -> WSDLRScheduler:
        return WSDLRScheduler(
            one, length, decay_steps, final_lr_factor, decay_fn=decay,
            **warmup(warm, warmup_start_factor),
        )  # fmt: skip

    return scheduled(optimizer, make, interval, steps_per_epoch)
