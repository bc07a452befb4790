"""Measures in pixels, and images read at other places: what several corruptions are made of."""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms.v2 import functional

SIDE = 224  # pixels, of the images that the paper's strengths are for


def pixels(image: Tensor, measure: float) -> float:
    """What so many pixels of an image of 224 are in these."""
    return measure * image.shape[-1] / SIDE


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Images under a Gaussian, no wider than they are."""
    widest = 2 * ((min(image.shape[-2:]) - 1) // 2) + 1
    size = min(2 * max(1, round(3 * sigma)) + 1, widest)
    return functional.gaussian_blur(image, [size, size], [sigma, sigma])


def places(image: Tensor) -> Tensor:
    """Where each pixel is, (B, H, W, 2): x and y, from -1 to 1 across the image."""
    unmoved = torch.eye(2, 3).expand(len(image), 2, 3)
    return affine_grid(unmoved, list(image.shape), align_corners=False)


def read_at(image: Tensor, where: Tensor) -> Tensor:
    """Images of what is at these places, mirrored beyond their edges."""
    return grid_sample(image, where, padding_mode="reflection", align_corners=False)
