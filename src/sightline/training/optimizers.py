"""The optimizer of a training, built from the config when it is needed."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sightline.config.components import accepts, build, locate
from sightline.config.optimizer_keys import OptimizerConfig
from sightline.config.schema import TrainConfig
from sightline.config.validation import without
from sightline.errors import UserError
from sightline.training.param_groups import PlannedParameter, grouped, plan_parameters


class Optimizers:
    """Builds the optimizer that a config names.

    Args:
        config: of the training.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.node = without(config.optimizer, OptimizerConfig)
        self.target = locate(self.node, "optimizer", config.plugins)

    def __call__(self, module: nn.Module) -> Optimizer:
        """The optimizer of what learns in a module with its network at `classifier.network`.

        Raises:
            UserError: nothing does; or the config gives groups what the optimizer does not take.
        """
        return self.of_groups(grouped(self.plan(module), self._own("lr"), self.weight_decay))

    def plan(self, module: nn.Module) -> list[PlannedParameter]:
        """How each parameter of a module is optimised."""
        return plan_parameters(module, self.config.optimizer_common, self.weight_decay)

    def of_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        """The optimizer of these groups.

        Raises:
            UserError: there are none, or the optimizer refuses them.
        """
        if not groups:
            raise UserError("The model has no parameters that can be trained.")
        optimizer = build(self.node, "optimizer", self.config.plugins, {"params": groups})
        assert isinstance(optimizer, Optimizer)
        return optimizer

    def check(self) -> Optimizer:
        """Check that it takes what the keys of its groups give; one of a single parameter.

        Raises:
            UserError: it cannot, or does not.
        """
        common = self.config.optimizer_common
        decays = any(rule.weight_decay is not None for rule in common.param_groups)
        if decays and not accepts(self.target, "weight_decay"):
            raise UserError(
                f"optimizer.param_groups: {self.node['_target_']} has no weight_decay to set."
            )
        if common.chooses and self._own("lr") is None:
            raise UserError(
                f"optimizer: {self.node['_target_']} has no learning rate of its own that "
                "layer_decay, head_lr_factor and lr_factor could multiply; give optimizer.lr."
            )
        return self.of_groups([{"params": [nn.Parameter(torch.zeros(2, 2))]}])

    @property
    def weight_decay(self) -> float:
        """The optimizer's own, 0 where it takes none."""
        return self._own("weight_decay") or 0.0

    def _own(self, name: str) -> float | None:
        """The value of an argument that is a number: the config's, or the optimizer's default."""
        parameter = inspect.signature(self.target).parameters.get(name)
        value = self.node.get(name, None if parameter is None else parameter.default)
        return float(value) if isinstance(value, int | float) else None
