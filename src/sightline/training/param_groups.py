"""The groups of parameters: learning rate and weight decay of each, by timm's rules and the config.

timm decides which parameters do not decay and which layer each belongs to. Names are the network's
own (`fc.weight`); those of a loss or a method that learns begin with `criterion.` or `method.`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from timm.optim import param_groups_layer_decay, param_groups_weight_decay
from torch import nn
from torch.optim import Optimizer

from sightline.config.optimizer_keys import OptimizerConfig, ParamGroupConfig
from sightline.models.head import head_names

NETWORK = "classifier.network"


@dataclass(frozen=True)
class PlannedParameter:
    """A parameter, and how it is optimised.

    Attributes:
        name: see the module.
        parameter: itself.
        lr_factor: of the optimizer's learning rate.
        weight_decay: its own.
        pattern: of `optimizer.param_groups` that its name matches; empty for none.
        fallback: whether Muon leaves it to its second optimizer.
    """

    name: str
    parameter: nn.Parameter
    lr_factor: float
    weight_decay: float
    pattern: str
    fallback: bool = False


def plan_parameters(
    module: nn.Module, config: OptimizerConfig, weight_decay: float, hybrid: bool = False
) -> list[PlannedParameter]:
    """Every parameter of a module, in its order, also those that do not learn.

    Args:
        module: with its network at `classifier.network`.
        config: of the groups.
        weight_decay: the optimizer's own.
        hybrid: whether the optimizer is a Muon; head and embeddings are then not its own.
    """
    network = module.get_submodule(NETWORK)
    timms: dict[int, tuple[float, float]] = {}
    for part, layer_decay in _parts(module, network, config):
        timms |= _decisions_of_timm(part, layer_decay, config.decay_all, weight_decay)
    heads = head_names(network) if config.head_lr_factor != 1 else set()
    fallback = _fallback(network) if hybrid else set()
    planned = []
    for name, parameter in named_parameters(module).items():
        factor, decay = timms.get(id(parameter), (1.0, weight_decay))
        factor *= config.head_lr_factor if name in heads else 1.0
        rule = matching(name, config.param_groups)
        if rule is not None:
            factor = factor if rule.lr_factor is None else rule.lr_factor
            decay = decay if rule.weight_decay is None else rule.weight_decay
        pattern = "" if rule is None else rule.pattern
        planned.append(PlannedParameter(
            name, parameter, factor, decay, pattern, name in fallback
        ))  # fmt: skip
    return planned


def named_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """A module's parameters by the names that patterns are compared with."""
    return {
        name.removeprefix(f"{NETWORK}."): parameter for name, parameter in module.named_parameters()
    }


def matching(name: str, rules: list[ParamGroupConfig]) -> ParamGroupConfig | None:
    """The first rule whose pattern matches a name."""
    return next((rule for rule in rules if fnmatchcase(name, rule.pattern)), None)


def freeze(module: nn.Module, config: OptimizerConfig) -> None:
    """Freeze what `param_groups` says."""
    for name, parameter in named_parameters(module).items():
        rule = matching(name, config.param_groups)
        if rule is not None and rule.freeze:
            parameter.requires_grad_(False)


def grouped(
    planned: list[PlannedParameter], lr: float | None, weight_decay: float
) -> list[dict[str, Any]]:
    """What learns, as an optimizer takes it: one dict for each pair of factor and decay.

    A group says nothing that is the optimizer's own value, so that where no key treats parameters
    differently there is one group, as in runs before there were these keys.

    Args:
        planned: all parameters.
        lr, weight_decay: the optimizer's own values.
    """
    groups: dict[tuple[float, float, bool], dict[str, Any]] = {}
    for each in planned:
        if not each.parameter.requires_grad:
            continue
        key = (each.lr_factor, each.weight_decay, each.fallback)
        if key not in groups:
            groups[key] = {"params": []} | ({"use_fallback": True} if each.fallback else {})
            if each.lr_factor != 1:
                assert lr is not None
                groups[key] |= {"lr": lr * each.lr_factor, "lr_factor": each.lr_factor}
            if each.weight_decay != weight_decay:
                groups[key]["weight_decay"] = each.weight_decay
        groups[key]["params"].append(each.parameter)
    return list(groups.values())


def _fallback(network: nn.Module) -> set[str]:
    """Names of the head, and of what timm's models except from weight decay: embeddings, tokens."""
    heads = head_names(network) if hasattr(network, "reset_classifier") else set()
    excepted: Any = getattr(network, "no_weight_decay", None)
    return heads | (set() if excepted is None else set(excepted()))


def base_lr(optimizer: Optimizer, key: str = "lr") -> float:
    """The learning rate of parameters with a factor of 1, also where there are none.

    Args:
        optimizer: with groups of `grouped`.
        key: lr, as it is now; or initial_lr, which schedules multiply.
    """
    groups = optimizer.param_groups
    plain = next((group for group in groups if group.get("lr_factor", 1.0) == 1), groups[0])
    return float(plain[key]) / float(plain.get("lr_factor", 1.0))


def _parts(
    module: nn.Module, network: nn.Module, config: OptimizerConfig
) -> Iterator[tuple[nn.Module, float | None]]:
    """The network with its layer decay, and the other parts that may hold parameters."""
    yield network, config.layer_decay
    for name, child in module.named_children():
        if name != NETWORK.partition(".")[0]:
            yield child, None


def _decisions_of_timm(
    part: nn.Module, layer_decay: float | None, decay_all: bool, weight_decay: float
) -> dict[int, tuple[float, float]]:
    """Factor and weight decay of each parameter that learns, by its id."""
    without: Any = getattr(part, "no_weight_decay", None)
    common: dict[str, Any] = {
        "weight_decay": weight_decay,
        "weight_decay_exclude_1d": not decay_all,
        "no_weight_decay_list": () if decay_all or without is None else without(),
    }
    if layer_decay is None:
        groups = param_groups_weight_decay(part, **common)
    else:
        groups = param_groups_layer_decay(part, layer_decay=layer_decay, **common)
    return {
        id(parameter): (float(group.get("lr_scale", 1.0)), float(group["weight_decay"]))
        for group in groups
        for parameter in group["params"]
    }
