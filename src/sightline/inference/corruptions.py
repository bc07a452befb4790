"""Common corruptions of pictures at five severities (Hendrycks and Dietterich 2019).

Of their fifteen, those that need nothing but the picture: snow, frost, fog and spatter are made of
textures, and elastic, zoom and glass distortions of loops over pixels. Strengths are the paper's
for pictures of 224 pixels; what is measured in pixels is scaled to the picture's side.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

SEVERITIES = (1, 2, 3, 4, 5)
SIDE = 224  # pixels, of the pictures that the paper's strengths are for

Corruption = Callable[[Tensor, int, torch.Generator], Tensor]


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


def gaussian_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Out of focus."""
    least = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]  # the paper's for pictures of 32 pixels
    sigma = max(least, (1, 2, 3, 4, 6)[severity - 1] * image.shape[-1] / SIDE)
    size = 2 * max(1, round(3 * sigma)) + 1
    size = min(size, 2 * ((image.shape[-1] - 1) // 2) + 1)
    return functional.gaussian_blur(image, [size, size], [sigma, sigma])


def motion_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A camera that moves sideways."""
    length = max(2, round((10, 15, 20, 25, 30)[severity - 1] * image.shape[-1] / SIDE))
    padded = torch.nn.functional.pad(image, (length // 2, (length - 1) // 2, 0, 0), "replicate")
    return padded.unfold(3, length, 1).mean(dim=-1)


def brightness(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """More light."""
    return image + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]


def contrast(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Everything nearer to the picture's mean."""
    share = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    mean = image.mean(dim=(2, 3), keepdim=True)
    return (image - mean) * share + mean


def pixelate(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Fewer pixels."""
    side = image.shape[-1]
    small = max(1, round((0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1] * side))
    fewer = torch.nn.functional.interpolate(image, size=small, mode="area")
    return torch.nn.functional.interpolate(fewer, size=side, mode="nearest")


def jpeg(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Strong compression."""
    quality = (25, 18, 15, 10, 7)[severity - 1]
    if image.shape[1] not in (1, 3):
        return torch.cat([jpeg(channel, severity, generator) for channel in image.split(1, 1)], 1)
    whole = (image * 255).round().to(torch.uint8)
    return torch.stack([functional.jpeg(each, quality) for each in whole]).float() / 255


CORRUPTIONS: dict[str, Corruption] = {
    each.__name__: each
    for each in (
        gaussian_noise, shot_noise, impulse_noise, gaussian_blur, motion_blur, brightness,
        contrast, pixelate, jpeg,
    )
}  # fmt: skip


def corrupt(image: Tensor, name: str, severity: int, generator: torch.Generator) -> Tensor:
    """Corrupted pictures (B, C, H, W), uint8, of such ones."""
    changed = CORRUPTIONS[name](image.float() / 255, severity, generator)
    return (changed.clamp(0, 1) * 255).round().to(torch.uint8)
