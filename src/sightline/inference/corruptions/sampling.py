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
    """Images blurred by a Gaussian, cut at 4 sigma and at the images' own width."""
    widest = 2 * ((min(image.shape[-2:]) - 1) // 2) + 1
    size = min(2 * max(1, round(4 * sigma)) + 1, widest)
    return functional.gaussian_blur(image, [size, size], [sigma, sigma])


def places(image: Tensor) -> Tensor:
    """Coordinates (x, y) of each pixel, shape (B, H, W, 2), in [-1, 1] across the image."""
    unmoved = torch.eye(2, 3).expand(len(image), 2, 3)
    return affine_grid(unmoved, list(image.shape), align_corners=False)


def read_at(image: Tensor, where: Tensor) -> Tensor:
    """Images resampled at coordinates (B, H, W, 2), mirrored beyond their edges."""
    return grid_sample(image, where, padding_mode="reflection", align_corners=False)


def streaks(image: Tensor, angle: Tensor, length: float, sigma: float) -> Tensor:
    """Images moved along an angle each (0 is to the right, 90° is down), ever fainter.

    ImageMagick's motion blur, one half of a Gaussian.

    Args:
        image: shape (B, C, H, W).
        angle: shape (B,), in radians.
        length: of the longest movement, in pixels.
        sigma: of the Gaussian, in pixels.
    """
    steps = torch.arange(round(length) + 1)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    size = torch.tensor([image.shape[3], image.shape[2]])
    step = 2 * torch.stack([angle.cos(), angle.sin()], dim=-1) / size
    where, total = places(image), torch.zeros_like(image)
    for i, weight in zip(steps.tolist(), weights / weights.sum(), strict=True):
        total = total + weight * read_at(image, where - i * step[:, None, None])
    return total
