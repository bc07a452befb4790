"""The groups of parameters, as a table of every parameter and in one line."""

from collections import Counter

from torch import nn

from sightline.config.schema import TrainConfig
from sightline.training.optimizers import Optimizers


def group_rows(config: TrainConfig, module: nn.Module) -> list[dict[str, object]]:
    """A row for each parameter: its name and shape, and how it is optimised.

    Args:
        config: of the training.
        module: with its network at `classifier.network`.
    """
    return [
        {
            "name": each.name,
            "shape": "x".join(map(str, each.parameter.shape)),
            "learns": str(each.parameter.requires_grad).lower(),
            "lr_factor": f"{each.lr_factor:.6g}",
            "weight_decay": f"{each.weight_decay:.6g}",
            "pattern": each.pattern,
        }
        for each in Optimizers(config).plan(module)
    ]


def describe_groups(config: TrainConfig, module: nn.Module) -> str:
    """One line: how many tensors have which weight decay and which factors, and how many rest."""
    planned = Optimizers(config).plan(module)
    learn = [each for each in planned if each.parameter.requires_grad]
    decays = Counter(each.weight_decay for each in learn)
    parts = [
        f"weight decay {decay:g} for {count} tensors" for decay, count in sorted(decays.items())
    ]
    factors = sorted({each.lr_factor for each in learn})
    if factors != [1.0]:
        span = f"{factors[0]:.3g}" + (f" to {factors[-1]:.3g}" if len(factors) > 1 else "")
        parts.append(f"learning rate times {span} ({len(factors)} factors)")
    rules = {rule.pattern: rule.freeze_epochs for rule in config.optimizer_common.param_groups}
    for epochs, count in sorted(Counter(rules.get(each.pattern) or 0 for each in learn).items()):
        if epochs:
            parts.append(f"{count} tensors frozen in the first {epochs} epochs")
    if len(learn) < len(planned):
        parts.append(f"{len(planned) - len(learn)} tensors frozen")
    return ", ".join(parts)
