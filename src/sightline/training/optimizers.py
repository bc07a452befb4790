"""The optimizer of a training, built from the config when it is needed."""

import inspect
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from sightline.config.components import build, locate, takes
from sightline.config.optimizer_keys import OptimizerConfig
from sightline.config.schema import TrainConfig
from sightline.config.validation import without
from sightline.errors import UserError, first_line
from sightline.training.layout import keep_layout
from sightline.training.named_optimizers import HYBRID, named_optimizer
from sightline.training.param_groups import PlannedParameter, grouped, plan_parameters

SCALED = ("16-mixed", "16")  # precisions in which the loss is scaled


class Optimizers:
    """Builds the optimizer that a config names.

    Args:
        config: of the training.
        fused: whether one kernel of torch's steps all parameters, where the config leaves it open.
    """

    def __init__(self, config: TrainConfig, fused: bool = False) -> None:
        self.config = config
        self.fused = fused
        self.node = without(config.optimizer, OptimizerConfig)
        self.target = locate(self.node, "optimizer", config.plugins)

    def __call__(self, module: nn.Module) -> Optimizer:
        """The optimizer of what learns in a module with its network at `classifier.network`.

        Raises:
            UserError: nothing does; or the config gives groups what the optimizer does not take.
        """
        return self.of_groups(self.groups(module))

    def groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The groups of what learns in a module, as an optimizer takes them."""
        return grouped(self.plan(module), self._own("lr"), self.weight_decay)

    def plan(self, module: nn.Module) -> list[PlannedParameter]:
        """How each parameter of a module is optimised."""
        hybrid = self.target is named_optimizer and self.node.get("name") in HYBRID
        return plan_parameters(module, self.config.optimizer_common, self.weight_decay, hybrid)

    def of_groups(self, groups: list[dict[str, Any]]) -> Optimizer:
        """The optimizer of these groups.

        Raises:
            UserError: there are none, or the optimizer refuses them.
        """
        if not groups:
            raise UserError("The model has no parameters that can be trained.")
        node = self.node | ({"fused": True} if self.fused else {})
        try:
            optimizer = build(node, "optimizer", self.config.plugins, {"params": groups})
        except RuntimeError as error:  # of torch's, for foreach and fused
            raise UserError(f"optimizer: {first_line(error)}") from error
        assert isinstance(optimizer, Optimizer)
        if node.get("fused"):
            keep_layout(optimizer)
        return optimizer

    def can_fuse(self) -> bool:
        """Whether one kernel may step all parameters: of torch's optimizers that have one.

        Not with 16-mixed, where a fused step scales gradients back itself, after they are clipped.
        """
        kind = vars(torch.optim).get(str(self.node.get("name")), self.target)
        takes = {"foreach", "fused"} <= inspect.signature(kind).parameters.keys()
        given = {"foreach", "fused"} & self.node.keys()
        mixed = str(self.config.trainer.get("precision")) in SCALED
        return takes and not given and not mixed

    def check(self) -> Optimizer:
        """Check that it takes what the keys of its groups give; one of a single parameter.

        Raises:
            UserError: it cannot, or does not.
        """
        common = self.config.optimizer_common
        self._check_fused()
        decays = any(rule.weight_decay is not None for rule in common.param_groups)
        if decays and not takes(self.target, "weight_decay"):
            raise UserError(
                f"optimizer.param_groups: {self.node['_target_']} has no weight_decay to set."
            )
        if common.chooses and self._own("lr") is None:
            raise UserError(
                f"optimizer: {self.node['_target_']} has no learning rate of its own that "
                "layer_decay, head_lr_factor and lr_factor could multiply; give optimizer.lr."
            )
        return self.of_groups([{"params": [nn.Parameter(torch.zeros(2, 2))]}])

    def check_decay(self) -> None:
        """Check that a new run's keys of weight decay have an effect.

        Raises:
            UserError: optimizer.decay_all where nothing decays.
        """
        if self.config.optimizer_common.decay_all and not self.weight_decay:
            raise UserError(
                f"optimizer.decay_all=true has no effect: {self.node['_target_']} has no weight "
                "decay here. Leave optimizer.decay_all out, or give optimizer.weight_decay."
            )

    def _check_fused(self) -> None:
        clips = self.config.optimizer_common.agc or self.config.trainer.get("gradient_clip_val")
        scaled = str(self.config.trainer.get("precision")) in SCALED
        if self.node.get("fused") and scaled and clips:
            raise UserError(
                "optimizer.fused=true: with trainer.precision=16-mixed a fused step scales the "
                "gradients back itself, so that they cannot be clipped before. Leave it out, or "
                "use trainer.precision=bf16-mixed."
            )

    @property
    def weight_decay(self) -> float:
        """The optimizer's own, 0 where it takes none."""
        return self._own("weight_decay") or 0.0

    def _own(self, name: str) -> float | None:
        """The value of an argument that is a number: the config's, or the optimizer's default."""
        parameter = inspect.signature(self.target).parameters.get(name)
        value = self.node.get(name, None if parameter is None else parameter.default)
        return float(value) if isinstance(value, int | float) else None
