"""Checks on a network without memory, in place of the one that is trained: before data is read."""

from typing import Any

import torch
from torch import nn

from sightline.config.schema import TrainConfig
from sightline.config.targets import locate
from sightline.errors import UserError
from sightline.models.fine_tuning import check_fine_tuning, prepare_network
from sightline.models.recipe import Recipe
from sightline.training.grad_checkpointing import checkpoint_activations
from sightline.training.methods.distill import Distill, check_student
from sightline.training.param_group_checks import check_network, check_patterns
from sightline.training.schedule_free import check_statistics, is_schedule_free
from sightline.training.speed import check_format
from sightline.types import DatasetInfo

# In place of the data's: the names of a network's parameters do not depend on them.
STAND_IN = DatasetInfo("", ("a", "b"), 3, 224, (0.5,) * 3, (0.5,) * 3)


def check_on_stand_in(config: TrainConfig) -> None:
    """Check layer decay, head, patterns, memory format and checkpointing of the config's model.

    Raises:
        UserError: the network cannot what the config says.
    """
    common, speed, tuning = config.optimizer_common, config.model_speed, config.fine_tuning
    check_fine_tuning(config.model, tuning)
    _check_epochs(config)
    adapts = tuning.lora_rank is not None or tuning.freeze_batch_norm
    asked = adapts or common.chooses or speed.grad_checkpointing or speed.channels_last is True
    kind: Any = config.method.get("kind")
    distills = locate(config.method, "method", config.plugins) is Distill and kind != "logits"
    free = is_schedule_free(config)
    if not (asked or distills or free):
        return
    network = _network(config)
    if network is None:
        return
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        prepare_network(network, config.model, tuning)
    if distills:
        check_student(kind, network)
    if free:
        check_statistics(network)
    check_network(network, common)
    if not _has_own_parameters(config):
        check_patterns(dict(network.named_parameters()), common)
    check_format(config, network)
    if speed.grad_checkpointing:
        checkpoint_activations(network)


def _network(config: TrainConfig) -> nn.Module | None:
    """The network that the config describes; None where it cannot be built so."""
    recipe = Recipe(config.model, config.model_input, STAND_IN, 2, tuple(config.plugins))
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            return recipe.build(recipe.size, random=True)[0]
    except Exception:  # noqa: BLE001  the model's own error comes where it is built
        return None


def _check_epochs(config: TrainConfig) -> None:
    """Check that what is frozen at first learns before the training ends."""
    epochs = config.trainer.get("max_epochs")
    if not isinstance(epochs, int) or epochs <= 0:
        return
    for number, rule in enumerate(config.optimizer_common.param_groups):
        if rule.freeze_epochs is not None and rule.freeze_epochs >= epochs:
            raise UserError(
                f"optimizer.param_groups[{number}].freeze_epochs={rule.freeze_epochs}: with "
                f"trainer.max_epochs={epochs} they never learn; give a smaller number, or "
                "freeze=true."
            )


def _has_own_parameters(config: TrainConfig) -> bool:
    """Whether the loss or the method may bring parameters that patterns mean."""
    own = "sightline.training."
    return not all(str(node["_target_"]).startswith(own) for node in (config.loss, config.method))
