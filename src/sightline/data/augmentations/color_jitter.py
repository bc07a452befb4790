"""Random brightness, contrast and saturation, in an order of its own for each image."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from sightline.data.augmentations.both_forms import InBothForms
from sightline.errors import UserError


class ColorJitter(InBothForms):
    """torchvision's definitions: each blends an image with black, its mean grey, or itself in grey.

    The factors are uniform from 1 - x to 1 + x. Images of other than three channels have no
    saturation; their grey is the mean of the channels.

    Args:
        brightness, contrast, saturation: x, in [0, 1]; 0: left alone.

    Raises:
        UserError: one is out of range.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float = 0.0) -> None:
        super().__init__()
        self.ranges = (brightness, contrast, saturation)
        for name, value in zip(("brightness", "contrast", "saturation"), self.ranges, strict=True):
            if not 0 <= value <= 1:
                raise UserError(f"augment: {name}={value}: expected a number from 0 to 1.")

    def augment(self, images: Tensor) -> Tensor:
        """Images whose three properties are changed one after another."""
        count = len(images)
        factors = 1 + torch.tensor(self.ranges) * (2 * torch.rand(count, 3) - 1)
        order = torch.rand(count, 3).argsort(1)
        for place in range(3):
            kind = order[:, place]
            factor = factors.gather(1, kind[:, None]).to(images)[:, :, None, None]
            other = _blended_with(images, kind.to(images.device)[:, None, None, None])
            images = (factor * images + (1 - factor) * other).clamp(0, 1)
        return images


def _blended_with(images: Tensor, kind: Tensor) -> Tensor:
    """What each image is blended with: black (0), its mean grey (1), or itself in grey (2)."""
    if images.shape[1] == 3:
        grey = functional.rgb_to_grayscale(images)
        itself = grey.expand_as(images)
    else:
        grey, itself = images.mean(1, keepdim=True), images
    mean = grey.mean((2, 3), keepdim=True)
    return torch.where(kind == 0, torch.zeros_like(images), torch.where(kind == 1, mean, itself))
