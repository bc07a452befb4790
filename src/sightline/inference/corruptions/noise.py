"""Noise of sensors."""

import torch
from torch import Tensor


def gaussian_noise(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Noise of the same size everywhere."""
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    return image + scale * torch.randn(image.shape, generator=generator)


def shot_noise(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Noise of counted photons."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return torch.poisson(image * photons, generator=generator) / photons


def impulse_noise(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Values that turn black or white."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    draw = torch.rand(image.shape, generator=generator)
    return torch.where(draw < share / 2, 0.0, torch.where(draw < share, 1.0, image))
