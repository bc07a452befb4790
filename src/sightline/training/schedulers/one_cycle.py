"""One cycle of learning rate and momentum, torch's."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

Fraction = Annotated[float, Field(ge=0, lt=1)]


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    pct_start: Fraction,
    div_factor: PositiveFloat,
    final_div_factor: PositiveFloat,
    anneal_strategy: Literal["cos", "linear"],
    three_phase: bool,
    cycle_momentum: bool,
    base_momentum: Fraction,
    max_momentum: Fraction,
) -> OneCycleLR:
    """Up to each group's learning rate, and down to almost nothing (Smith and Topin, 2019).

    Args:
        optimizer: whose learning rates are the peaks.
        total_steps: optimizer steps of the whole training.
        pct_start: share of the training in which the learning rate rises.
        div_factor: peak over the first learning rate.
        final_div_factor: first over the last learning rate.
        anneal_strategy: form of both ways.
        three_phase: whether a third phase goes from the first learning rate to the last.
        cycle_momentum: whether the momentum (or the first beta) goes the other way.
        base_momentum, max_momentum: its ends.
    """
    return OneCycleLR(
        optimizer,
        [float(group["lr"]) for group in optimizer.param_groups],
        total_steps,
        pct_start=pct_start,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        anneal_strategy=anneal_strategy,
        three_phase=three_phase,
        cycle_momentum=cycle_momentum,
        base_momentum=base_momentum,
        max_momentum=max_momentum,
    )
