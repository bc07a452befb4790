"""Grad-CAM (Selvaraju et al. 2017): heat maps of the evidence for a class in an image."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import UserError
from sightline.models.classifier import Classifier

POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


@dataclass(frozen=True)
class FeatureMap:
    """The last features of a network that have positions in the image.

    Attributes:
        layer: whose output they are.
        as_map: from that output to (B, channels, h, w).
    """

    layer: nn.Module
    as_map: Callable[[Tensor], Tensor]


def grad_cam(
    classifier: Classifier, images: Tensor, evidence: Callable[[Tensor], Tensor]
) -> Tensor:
    """Heat maps (B, H, W) in [0, 1]: the positive part of channels weighted by mean gradients.

    Args:
        classifier: in evaluation mode.
        images: (B, C, H, W), uint8.
        evidence: from logits to the evidence for a class of each image, shape (B,).

    Raises:
        UserError: the network has no feature map.
    """
    found = find_feature_map(classifier.network, classifier, images[:1])
    kept: list[Tensor] = []

    def detach_output(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """A new leaf, so that gradients end here, also in a frozen network."""
        kept.append(output.detach().requires_grad_())
        return kept[0] * 1  # a copy, since a later layer may work in place

    handle = found.layer.register_forward_hook(detach_output)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            score = evidence(classifier(images.clone())).sum()
            (gradient,) = torch.autograd.grad(score, kept[0])
    finally:
        handle.remove()
    values, slopes = found.as_map(kept[0].detach()), found.as_map(gradient)
    heat = (slopes.mean(dim=(2, 3), keepdim=True) * values).sum(dim=1, keepdim=True).relu()
    heat = nn.functional.interpolate(heat.float(), images.shape[-2:], mode="bilinear")[:, 0]
    most = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, heat / most.clamp(min=torch.finfo(heat.dtype).tiny), 0)


def find_feature_map(network: nn.Module, forward: nn.Module, example: Tensor) -> FeatureMap:
    """The last layer of maps, before pooling; of timm's transformers the last block's tokens.

    Args:
        network: searched for the layer.
        forward: called with `example`; runs the network once.
        example: one image.

    Raises:
        UserError: there is no such layer.
    """
    tokens = _token_layer(network)
    if tokens is not None:
        return tokens
    ran: list[tuple[nn.Module, int, int]] = []  # layer, dimensions of its output, places in it
    channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"

    def record(layer: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            sides = output.shape[1:3] if channels_last else output.shape[2:4]
            ran.append((layer, output.ndim, math.prod(sides) if output.ndim == 4 else 0))

    handles = [layer.register_forward_hook(record) for layer in network.modules()]
    try:
        with torch.no_grad():
            forward(example)
    finally:
        for handle in handles:
            handle.remove()
    maps = [i for i, (layer, _, places) in enumerate(ran)
            if places > 1 and not isinstance(layer, POOLING)]  # fmt: skip
    if not maps or any(dimensions == 3 for _, dimensions, _ in ran[maps[-1] :]):
        raise UserError(
            f"{type(network).__name__} has no feature map before its head, which Grad-CAM needs."
        )
    layer = ran[maps[-1]][0]
    return FeatureMap(layer, _channels_first if channels_last else _as_it_is)


def _token_layer(network: Any) -> FeatureMap | None:
    """The normalised input of the last block, whose output may reach the head by one token only."""
    layer = getattr(network, "blocks", None)
    layer = layer[-1] if isinstance(layer, nn.Sequential | nn.ModuleList) and len(layer) else None
    layer = getattr(layer, "norm1", None)
    if not isinstance(layer, nn.Module) or not hasattr(network, "num_prefix_tokens"):
        return None
    prefix = int(network.num_prefix_tokens)

    def as_map(tokens: Tensor) -> Tensor:
        for skipped in (prefix, 0):  # some networks add the class token only later
            places = tokens[:, skipped:].transpose(1, 2)
            side = math.isqrt(places.shape[2])
            if side * side == places.shape[2]:
                return places.unflatten(2, (side, side))
        raise UserError(f"{type(network).__name__} has no square of tokens, which Grad-CAM needs.")

    return FeatureMap(layer, as_map)


def _as_it_is(output: Tensor) -> Tensor:
    return output


def _channels_first(output: Tensor) -> Tensor:
    return output.permute(0, 3, 1, 2)
