"""Building blocks of corruptions: lengths in pixels, Gaussian blur, and resampling of images."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms.v2 import functional

SIDE = 224  # pixels; side of the images in the paper


def pixels(image: Tensor, measure: float) -> float:
    """A length in pixels of an image of 224, scaled to these images."""
    return measure * image.shape[-1] / SIDE


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Images blurred by a Gaussian, whose kernel is at most as wide as they are."""
    widest = 2 * ((min(image.shape[-2:]) - 1) // 2) + 1
    size = min(2 * max(1, round(3 * sigma)) + 1, widest)
    return functional.gaussian_blur(image, [size, size], [sigma, sigma])


def places(image: Tensor) -> Tensor:
    """Coordinates (x, y) of each pixel, shape (B, H, W, 2), in [-1, 1] across the image."""
    unmoved = torch.eye(2, 3).expand(len(image), 2, 3)
    return affine_grid(unmoved, list(image.shape), align_corners=False)


def read_at(image: Tensor, where: Tensor) -> Tensor:
    """Images resampled at coordinates (B, H, W, 2), mirrored beyond their edges."""
    return grid_sample(image, where, padding_mode="reflection", align_corners=False)
