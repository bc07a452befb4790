"""Low-rank updates of a network's weights (LoRA, Hu et al. 2021), which learn in their place.

A layer's weight is W + alpha / rank · (up @ down), as torch's parametrization of the layer: so also
layers whose weight is read by the model itself, such as timm's fused query, key and value, have it.
The sum is computed in training as it is in the merged weight, to the last bit. A checkpoint holds
the parts; whatever loads it for something else than resuming merges them, and has plain layers.
"""

import math
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sightline.errors import UserError, did_you_mean
from sightline.models.head import head_names

WEIGHT = "parametrizations.weight"  # of a layer with an update, in its names


class LowRankUpdate(nn.Module):
    """A weight with an update of low rank; at first the weight itself, since `up` is 0.

    Args:
        weight: that is updated, (out, in) or (out, in, ...).
        rank: of the update.
        alpha: the update is multiplied by alpha / rank.
    """

    scale: Tensor

    def __init__(self, weight: Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        out, width = weight.shape[0], weight[0].numel()
        self.down = nn.Parameter(weight.new_empty(rank, width))
        self.up = nn.Parameter(weight.new_zeros(out, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))  # as in the authors' code
        self.register_buffer("scale", weight.new_tensor(alpha / rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The updated weight."""
        return updated(weight, self.up, self.down, self.scale)


def updated(weight: Tensor, up: Tensor, down: Tensor, scale: Tensor) -> Tensor:
    """A weight with its update: W + scale · (up @ down)."""
    return weight + (scale * (up @ down)).view_as(weight)


def add_updates(network: nn.Module, rank: int, alpha: float, patterns: Sequence[str]) -> list[str]:
    """Give the layers that match a pattern an update, and let nothing but these and the head learn.

    Args:
        network: as pretrained.
        rank: of each update.
        alpha: see `LowRankUpdate`.
        patterns: of whole names of layers, with `*` for any characters.

    Returns:
        The layers' names.

    Raises:
        UserError: a pattern matches no layer with a weight, or the rank is not below a layer's own.
    """
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(getattr(layer, "weight", None), nn.Parameter) and layer.weight.ndim > 1
    }
    chosen = _matching(layers, patterns, type(network).__name__)
    learn = head_names(network)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in learn)
    for name in chosen:
        weight = layers[name].weight
        assert isinstance(weight, Tensor)
        largest = min(weight.shape[0], weight[0].numel())
        if rank >= largest:
            raise UserError(
                f"model.lora_rank={rank}: the weight of {name} has rank {largest} itself; give a "
                "smaller one."
            )
        update = LowRankUpdate(weight.detach(), rank, alpha)
        parametrize.register_parametrization(layers[name], "weight", update, unsafe=True)
    return chosen


def _matching(layers: Mapping[str, nn.Module], patterns: Sequence[str], model: str) -> list[str]:
    chosen = [name for name in layers if any(fnmatchcase(name, each) for each in patterns)]
    if chosen:
        return chosen
    names = list(layers)
    shown = ", ".join(names if len(names) <= 6 else [*names[:3], "...", *names[-3:]])
    raise UserError(
        f"model.lora_rank: {model} has no layer that model.lora_layers=[{','.join(patterns)}] "
        f"names, as attention's query, key and value are called.{did_you_mean(patterns[0], names)} "
        f"Its layers with weights: {shown}. Name some of them, or train without LoRA."
    )


def merged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's tensors, by name, with each update added to its weight.

    Raises:
        ValueError: a file that was changed lacks a part of an update, or has another's.
    """
    found = dict(state)
    for name in state:
        layer, marker, _ = name.partition(f".{WEIGHT}.original")
        if not marker:
            continue
        names = [f"{layer}.{WEIGHT}.0.{part}" for part in ("up", "down", "scale")]
        lacking = [each for each in names if each not in found]
        if lacking:
            raise ValueError(f"the update of {layer} lacks {lacking[0]}")
        weight, up, down, scale = (found.pop(each) for each in (name, *names))
        if weight.ndim < 2 or scale.numel() != 1 or (up.shape[0], down[:1].numel()) != (
            weight.shape[0], weight[0].numel()
        ):  # fmt: skip
            raise ValueError(f"the update of {layer} does not fit its weight")
        with torch.no_grad():
            found[f"{layer}.weight"] = updated(weight, up, down, scale)
    return found
