"""A lower learning rate where the monitored metric does not improve, by torch's rule."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeInt
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from sightline.training.schedulers.of_timm import Epochs, Share

Factor = Annotated[float, Field(gt=0, lt=1)]


def plateau(
    optimizer: Optimizer,
    steps_per_epoch: int,
    monitor: str,
    monitor_mode: Literal["min", "max"],
    warmup_epochs: Epochs,
    warmup_start_factor: Share,
    final_lr_factor: Share,
    factor: Factor,
    patience_epochs: NonNegativeInt,
    cooldown_epochs: NonNegativeInt,
    threshold: Annotated[float, Field(ge=0)],
) -> "PlateauLR":
    """The learning rate times `factor` where `monitor` has not improved for some validations.

    Args:
        optimizer: whose learning rates are the first.
        steps_per_epoch: optimizer steps of one epoch.
        monitor, monitor_mode: the training's own metric, and whether low or high is better.
        warmup_epochs: length of the linear warm-up, in epochs.
        warmup_start_factor: factor at the first step.
        final_lr_factor: the least factor.
        factor: of each reduction.
        patience_epochs: validations without an improvement before one, which are one an epoch.
        cooldown_epochs: validations after one that do not count.
        threshold: the least improvement, relative to the best value.
    """
    one = SGD([torch.zeros(1)], lr=1.0)
    rule = ReduceLROnPlateau(
        one, monitor_mode, factor, patience_epochs, threshold, cooldown=cooldown_epochs,
        min_lr=final_lr_factor,
    )  # fmt: skip
    return PlateauLR(optimizer, rule, monitor, warmup_epochs * steps_per_epoch, warmup_start_factor)


class PlateauLR(LambdaLR):
    """A schedule that observes each validation, and warms up by the step.

    Args:
        optimizer: whose learning rates are the first.
        rule: torch's, of an optimizer with a learning rate of 1.
        monitor: the metric that it observes.
        warmup_steps: length of the warm-up.
        start_factor: at the first step.
    """

    def __init__(
        self, optimizer: Optimizer, rule: ReduceLROnPlateau, monitor: str, warmup_steps: float,
        start_factor: float,
    ) -> None:  # fmt: skip
        self.rule = rule
        self.monitor = monitor

        def factor(step: int) -> float:
            done = min(1.0, step / warmup_steps) if warmup_steps else 1.0
            return self.reduction * (start_factor + (1 - start_factor) * done)

        super().__init__(optimizer, factor)

    @property
    def reduction(self) -> float:
        """The factor now, but for the warm-up."""
        return float(self.rule.optimizer.param_groups[0]["lr"])

    def observe(self, metrics: Mapping[str, float]) -> None:
        """Take note of a validation; a reduction holds from the next step on."""
        self.rule.step(metrics[self.monitor])
        factor = self.lr_lambdas[0](self.last_epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor

    def state_dict(self) -> dict[str, Any]:
        """Plain values: the step, and what the rule has observed."""
        return {
            "last_epoch": self.last_epoch,
            "_step_count": self._step_count,
            "reduction": self.reduction,
            "rule": self.rule.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.last_epoch = state_dict["last_epoch"]
        self._step_count = state_dict["_step_count"]
        self.rule.load_state_dict(state_dict["rule"])
        self.rule.optimizer.param_groups[0]["lr"] = state_dict["reduction"]
