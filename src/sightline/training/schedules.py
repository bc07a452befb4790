"""The schedule of a training's learning rates: built, checked, and known beforehand."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.metrics.monitor import monitor_mode

SIMULATED = 2000  # steps of a schedule that is known by taking them alone


@runtime_checkable
class ObservesMetrics(Protocol):
    """A schedule that goes by a metric."""

    def observe(self, metrics: Mapping[str, float]) -> None:
        """See the metrics of a validation by their names without the split."""


class Schedulers:
    """Builds the scheduler that a config names.

    Args:
        config: of the training.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def __call__(self, optimizer: Optimizer, total_steps: int, per_epoch: int) -> LRScheduler:
        """The scheduler of an optimizer, over so many steps, `per_epoch` of them an epoch."""
        offered = {
            "total_steps": total_steps,
            "steps_per_epoch": per_epoch,
            "monitor": self.config.monitor.removeprefix("val/"),
            "monitor_mode": monitor_mode(self.config),
        }
        node, plugins = self.config.scheduler, self.config.plugins
        scheduler = build(node, "scheduler", plugins, {"optimizer": optimizer}, offered)
        assert isinstance(scheduler, LRScheduler)
        return scheduler

    def check(self, optimizer: Optimizer) -> None:
        """Build it over the training's epochs, before anything is known of the data.

        Raises:
            UserError: it cannot be built.
        """
        epochs = self.config.trainer.get("max_epochs")
        self(optimizer, 10 * epochs if isinstance(epochs, int) and epochs > 0 else 10**6, 10)

    def rates(
        self, groups: Sequence[float], total_steps: int, per_epoch: int, points: int = 400
    ) -> tuple[list[int], list[list[float]]]:
        """Steps, and at each of them the learning rate of each group.

        Of a scheduler of others that is known by its steps alone, the first 2,000 steps.

        Args:
            groups: learning rate of each, as the optimizer has it before the schedule.
            total_steps: of the training.
            per_epoch: steps of one epoch.
            points: how many steps at the most.
        """
        one = SGD([{"params": [torch.zeros(1)], "lr": lr} for lr in groups], momentum=0.9)
        scheduler = self(one, total_steps, per_epoch)
        if isinstance(scheduler, LambdaLR | OneCycleLR):
            steps = sorted({round(i * (total_steps - 1) / points) for i in range(points + 1)})
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="To get the last learning rate")
                return steps, [_rates_at(scheduler, step) for step in steps]
        found = []
        for _ in range(min(total_steps, SIMULATED)):
            found.append([float(group["lr"]) for group in one.param_groups])
            one.step()
            scheduler.step()
        return list(range(len(found))), found


def _rates_at(scheduler: LambdaLR | OneCycleLR, step: int) -> list[float]:
    """The learning rates of a schedule that depends on the step alone."""
    scheduler.last_epoch = step
    return [float(rate) for rate in scheduler.get_lr()]
