"""The optimizer and the scheduler of a training, built from the config when they are needed."""

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sightline.config.components import build
from sightline.config.schema import TrainConfig
from sightline.errors import UserError


class Optimizers:
    """Builds the optimizer that a config names.

    Args:
        config: of the training.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def __call__(self, parameters: list[nn.Parameter]) -> Optimizer:
        """The optimizer of these parameters.

        Raises:
            UserError: there are none.
        """
        if not parameters:
            raise UserError("The model has no parameters that can be trained.")
        given = {"params": parameters}
        optimizer = build(self.config.optimizer, "optimizer", self.config.plugins, given)
        assert isinstance(optimizer, Optimizer)
        return optimizer


class Schedulers:
    """Builds the scheduler that a config names.

    Args:
        config: of the training.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def __call__(self, optimizer: Optimizer, total_steps: int, per_epoch: int) -> LRScheduler:
        """The scheduler of an optimizer, over so many steps, `per_epoch` of them an epoch."""
        given = {"optimizer": optimizer}
        offered = {"total_steps": total_steps, "steps_per_epoch": per_epoch}
        node, plugins = self.config.scheduler, self.config.plugins
        scheduler = build(node, "scheduler", plugins, given, offered)
        assert isinstance(scheduler, LRScheduler)
        return scheduler
