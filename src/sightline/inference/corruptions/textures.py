"""Random textures: smooth noise and clouds."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def smooth_noise(shape: tuple[int, ...], sigma: float, generator: torch.Generator) -> Tensor:
    """Normal noise (N, C, H, W) smoothed by a Gaussian of `sigma` pixels, of variance 1."""
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    weights = weights / weights.square().sum().sqrt()  # the variance of such a sum stays 1
    count, channels, height, width = shape
    # With a margin, so that the noise near an edge has the same distribution as elsewhere.
    noise = torch.randn(
        count * channels, 1, height + 2 * reach, width + 2 * reach, generator=generator
    )
    rows = conv2d(noise, weights.view(1, 1, -1, 1))
    return conv2d(rows, weights.view(1, 1, 1, -1)).view(shape)


def plasma(count: int, side: int, decay: float, generator: torch.Generator) -> Tensor:
    """Clouds (N, S, S) in [0, 1], by the diamond-square algorithm on a torus.

    Args:
        count: N.
        side: S, in pixels.
        decay: divisor of the noise each time the grid gets twice as fine.
    """
    height, size = torch.zeros(count, 1, 1), 1.0
    while height.shape[-1] < max(2, side):
        draw = size * (2 * torch.rand(3, *height.shape, generator=generator) - 1)
        below, right = height.roll(-1, 1), height.roll(-1, 2)
        middle = (height + below + right + below.roll(-1, 2)) / 4 + draw[0]
        across = (height + right + middle + middle.roll(1, 1)) / 4 + draw[1]
        down = (height + below + middle + middle.roll(1, 2)) / 4 + draw[2]
        even, odd = torch.stack([height, across], -1), torch.stack([down, middle], -1)
        height = torch.stack([even.flatten(2), odd.flatten(2)], 2).flatten(1, 2)
        size /= decay
    low, high = height.amin((1, 2), keepdim=True), height.amax((1, 2), keepdim=True)
    return ((height - low) / (high - low))[:, :side, :side]
