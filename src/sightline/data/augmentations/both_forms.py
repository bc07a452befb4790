"""The base of augmentations whose form for one image is that for a batch of one."""

from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.v2 import functional


class InBothForms(nn.Module):
    """An augmentation of float images (B, C, H, W) in [0, 1], and of one image of 8 bits."""

    @torch.no_grad()
    def forward(self, image: Any) -> Tensor:
        """Augmented images: float in [0, 1] as given, or uint8 (C, H, W) of one image.

        Args:
            image: (B, C, H, W), float in [0, 1]; or one image, Pillow's or uint8 (C, H, W).
        """
        if isinstance(image, Image.Image):
            image = functional.pil_to_tensor(image)
        if image.is_floating_point():
            return self.augment(image)
        batch = self.augment(image[None].float() / 255)
        return (batch[0].clamp(0, 1) * 255).round().to(torch.uint8)

    def augment(self, images: Tensor) -> Tensor:
        """Augmented images of a batch, float (B, C, H, W)."""
        raise NotImplementedError
