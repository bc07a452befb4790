"""The last features of a network that have positions in the image, found by shape and gradient."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.types import Size, as_size

# What lies between features and their use: pooling, and an attention's query, key or value.
NO_FEATURES = (
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Linear,
)  # fmt: skip
MIN_PLACES = 0.1  # share of the places on which the outputs must depend
PREFIXES = (0, 1, 2)  # class and distillation tokens before those of the image

AsMap = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeatureMap:
    """Features with positions in the image.

    Attributes:
        layer: whose output they are.
        as_map: from that output to (B, channels, h, w).
    """

    layer: nn.Module
    as_map: AsMap


def find_feature_map(network: nn.Module, example: Tensor) -> FeatureMap:
    """The last layer whose output is a map of features, on most of which the outputs depend.

    So of a network that pools a map it is the map; of a transformer that reads its class token
    alone it is the normalised input of the last attention over the image's tokens. The layout of
    an output is the one in which it has the image's shape, a square for a square, and as many
    channels as the network states.

    Args:
        network: searched for the layer; in evaluation mode.
        example: one normalised image, (1, C, H, W).

    Raises:
        UserError: there is no such layer.
    """
    ran: list[tuple[nn.Module, Tensor]] = []

    def record(layer: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            ran.append((layer, output))

    handles = [layer.register_forward_hook(record) for layer in network.modules()]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = network(example.clone().requires_grad_())
            weights = torch.linspace(1, 2, logits.numel(), device=logits.device).view_as(logits)
            outputs = [output for _, output in ran]
            score = (logits * weights).sum()
            gradients = torch.autograd.grad(score, outputs, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    channels = _channels(network)
    untrained: FeatureMap | None = None
    for (layer, output), gradient in zip(reversed(ran), reversed(gradients), strict=True):
        if gradient is None or isinstance(layer, NO_FEATURES):
            continue
        for as_map in _layouts(network, output, channels, as_size(example.shape[-2:])):
            places = as_map(gradient).ne(0).any(dim=1)
            if places.numel() > 1 and places.float().mean() >= MIN_PLACES:
                return FeatureMap(layer, as_map)
            if untrained is None and not gradient.any():
                untrained = FeatureMap(layer, as_map)
    if untrained is not None:  # a head of zeros, as some networks start with: by shape alone
        return untrained
    raise UserError(
        f"{type(network).__name__} has no feature map before its head, which Grad-CAM needs."
    )


def _channels(network: Any) -> set[int]:
    """The numbers of channels that timm states of a network's last features; empty for others."""
    stated = [getattr(network, name, None) for name in ("num_features", "embed_dim")]
    info = getattr(network, "feature_info", None)
    if isinstance(info, list) and info:
        stated.append(info[-1].get("num_chs"))
    return {number for number in stated if isinstance(number, int)}


def _layouts(network: Any, output: Tensor, channels: set[int], image: Size) -> Iterator[AsMap]:
    """The layouts in which an output of one image is a map of features."""
    shape = output.shape
    if shape[0] != 1:
        return  # windows of an image
    if len(shape) == 4:
        first = _is_like(shape[2], shape[3], image) and (not channels or shape[1] in channels)
        last = _is_like(shape[1], shape[2], image) and (not channels or shape[3] in channels)
        stated = getattr(network, "output_fmt", "NCHW") == "NHWC"
        if last and (stated or not first):
            yield _channels_first
        elif first:
            yield _as_it_is
    elif len(shape) == 3 and shape[2] in channels:
        stated_prefix = getattr(network, "num_prefix_tokens", 0)
        for prefix in dict.fromkeys((stated_prefix, *PREFIXES)):
            grid = _grid(shape[1] - prefix, image)
            if grid is not None:
                yield _Tokens(prefix, grid)
                return


def _is_like(height: int, width: int, image: Size) -> bool:
    """Whether a map has the image's shape, but for what rounding a stride makes of it."""
    exact = height * image[1] / image[0]
    return width in (math.floor(exact), math.ceil(exact))


def _grid(places: int, image: Size) -> Size | None:
    """The height and width of so many places; None where they cannot have the image's shape."""
    for height in range(1, places + 1):
        if places % height == 0 and _is_like(height, places // height, image):
            return height, places // height
    return None


@dataclass(frozen=True)
class _Tokens:
    """Tokens (B, prefix + places, channels) as a map."""

    prefix: int
    grid: Size

    def __call__(self, output: Tensor) -> Tensor:
        return output[:, self.prefix :].transpose(1, 2).unflatten(2, self.grid)


def _as_it_is(output: Tensor) -> Tensor:
    return output


def _channels_first(output: Tensor) -> Tensor:
    return output.permute(0, 3, 1, 2)
