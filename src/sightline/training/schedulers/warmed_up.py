"""Cosine and constant: learning rates as a factor of the step, with a linear warm-up."""

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Epochs = Annotated[float, Field(ge=0)]


def cosine(
    optimizer: Optimizer,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: Epochs,
    final_lr_factor: Annotated[float, Field(ge=0, le=1)],
) -> LambdaLR:
    """Half a cosine from lr to `final_lr_factor` × lr (Loshchilov and Hutter, 2017).

    Args:
        optimizer: whose learning rates are the peaks.
        total_steps: optimizer steps of the whole training.
        steps_per_epoch: optimizer steps of one epoch.
        warmup_epochs: length of the linear warm-up, in epochs.
        final_lr_factor: factor at the last step.
    """

    def decay(progress: float) -> float:
        return final_lr_factor + (1 - final_lr_factor) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, _warmed_up(decay, total_steps, warmup_epochs * steps_per_epoch))


def constant(
    optimizer: Optimizer, total_steps: int, steps_per_epoch: int, warmup_epochs: Epochs
) -> LambdaLR:
    """The learning rate as it is, after the warm-up."""
    factor = _warmed_up(lambda _: 1.0, total_steps, warmup_epochs * steps_per_epoch)
    return LambdaLR(optimizer, factor)


def _warmed_up(
    decay: Callable[[float], float], total_steps: int, warmup_steps: float
) -> Callable[[int], float]:
    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = (step - warmup_steps) / max(1.0, total_steps - warmup_steps)
        return decay(min(1.0, progress))

    return factor
