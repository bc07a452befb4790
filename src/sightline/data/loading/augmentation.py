"""Augmentation of whole batches on the training device, and mixing of images and targets."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.label_modes.base import LabelMode


class BatchAugmentation(nn.Module):
    """Random transforms of each image of a batch (kornia); values stay in the range of uint8.

    Args:
        transforms: modules from and to float images (B, C, H, W) in [0, 1].
    """

    def __init__(self, transforms: Sequence[nn.Module]) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Images (B, C, H, W) from 0 to 255, float32."""
        scaled = image.float() / 255
        for transform in self.transforms:
            scaled = transform(scaled)
        return scaled.clamp(0, 1) * 255


def mix_batch(
    mix: nn.Module, label_mode: LabelMode, image: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """torchvision's MixUp or CutMix, in any label mode: targets become shares."""
    mixed: tuple[Tensor, Tensor] = mix(image.float(), label_mode.soft(target))
    return mixed
