"""Grad-CAM (Selvaraju et al. 2017): heat maps of the evidence for a class in an image."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sightline.models.classifier import Classifier
from sightline.models.feature_map import find_feature_map


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
    with torch.inference_mode(False):
        example = classifier.normalise(images[:1].clone())
    found = find_feature_map(classifier.network, example)
    kept: list[Tensor] = []

    def detach_output(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """A new leaf, so that gradients end here, also in a frozen network."""
        kept.append(output.detach().requires_grad_())
        return kept[-1] * 1  # a copy, since a later layer may work in place

    handle = found.layer.register_forward_hook(detach_output)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            score = evidence(classifier(images.clone())).sum()
            (gradient,) = torch.autograd.grad(score, kept[-1])
    finally:
        handle.remove()
    values, slopes = found.as_map(kept[-1].detach()), found.as_map(gradient)
    heat = (slopes.mean(dim=(2, 3), keepdim=True) * values).sum(dim=1, keepdim=True).relu()
    heat = nn.functional.interpolate(heat.float(), images.shape[-2:], mode="bilinear")[:, 0]
    most = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, heat / most.clamp(min=torch.finfo(heat.dtype).tiny), 0)
