"""Checks of the keys that group parameters, against a model."""

from collections.abc import Mapping

from torch import nn

from sightline.config.optimizer_keys import OptimizerConfig
from sightline.errors import UserError, did_you_mean
from sightline.models.head import head_names
from sightline.training.param_groups import matching


def check_network(network: nn.Module, config: OptimizerConfig) -> None:
    """Check that a network has the layer groups and the head that the keys are about.

    Raises:
        UserError: it has not.
    """
    name = type(network).__name__
    if config.layer_decay is not None and not hasattr(network, "group_matcher"):
        raise UserError(
            f"optimizer.layer_decay={config.layer_decay}: {name} has no layer groups (timm's "
            "method group_matcher). Leave it out, or give factors by name: "
            "optimizer.param_groups=[{pattern: ..., lr_factor: ...}]."
        )
    if config.head_lr_factor != 1 and not hasattr(network, "reset_classifier"):
        raise UserError(
            f"optimizer.head_lr_factor={config.head_lr_factor:g}: {name} does not say which layer "
            "is its head (timm's method reset_classifier). Give the factor by name: "
            "optimizer.param_groups=[{pattern: ..., lr_factor: ...}]."
        )
    if config.head_lr_factor != 1 and not head_names(network):
        raise UserError(f"optimizer.head_lr_factor={config.head_lr_factor:g}: {name} has no head.")


def check_patterns(parameters: Mapping[str, nn.Parameter], config: OptimizerConfig) -> None:
    """Check that each pattern gives something to a parameter that learns.

    Args:
        parameters: by name, before `param_groups` freezes any.
        config: of the groups.

    Raises:
        UserError: names the first pattern that does not.
    """
    for number, rule in enumerate(config.param_groups):
        where = f"optimizer.param_groups[{number}].pattern={rule.pattern}"
        alone = [name for name in parameters if matching(name, [rule])]
        if not alone:
            raise UserError(
                f"{where} matches no parameter of the model."
                f"{did_you_mean(rule.pattern, parameters)} There are {_shown(parameters)}; a "
                "pattern is compared with the whole name, and * stands for any characters."
            )
        left = [name for name in alone if matching(name, config.param_groups[:number]) is None]
        if not left:
            raise UserError(
                f"{where} has no effect: each parameter that it matches, such as {alone[0]}, "
                "matches a pattern before it, and the first one counts."
            )
        if not any(parameters[name].requires_grad for name in left):
            raise UserError(
                f"{where} has no effect: none of the parameters that it matches, such as {left[0]},"
                " learns (model.freeze_backbone)."
            )

    if not any(_learns_at_first(name, parameter, config) for name, parameter in parameters.items()):
        raise UserError(
            "optimizer.param_groups: nothing learns in the first epoch. Let something learn, such "
            "as the head, by a pattern before those that freeze."
        )


def _learns_at_first(name: str, parameter: nn.Parameter, config: OptimizerConfig) -> bool:
    rule = matching(name, config.param_groups)
    frozen = rule is not None and (rule.freeze or rule.freeze_epochs is not None)
    return parameter.requires_grad and not frozen


def _shown(names: Mapping[str, nn.Parameter], most: int = 6) -> str:
    """A few of the names, the last ones too."""
    found = list(names)
    return ", ".join(found if len(found) <= most else [*found[: most - 2], "...", *found[-2:]])
