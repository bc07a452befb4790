"""Common corruptions of images at five severities (Hendrycks and Dietterich 2019).

Fourteen of their fifteen, and the Gaussian blur of their further four. Frost is left out: theirs
is made of photographs of frosted windows, and an invented texture would measure something else.

Strengths are those of the paper's published code for images of 224 pixels, unless a function
says otherwise. What is measured in pixels is scaled to the image's side, and where that leaves
nothing of a small image's corruption, no less than what the code has for images of 32 pixels.

A corruption takes float images (B, C, H, W) in [0, 1], a severity and a generator, which all its
draws come from, and may leave that range. A new one is a function and its name below.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sightline.inference.corruptions.blur import (
    defocus_blur,
    gaussian_blur,
    glass_blur,
    motion_blur,
    zoom_blur,
)
from sightline.inference.corruptions.digital import contrast, elastic_transform, jpeg, pixelate
from sightline.inference.corruptions.noise import gaussian_noise, impulse_noise, shot_noise
from sightline.inference.corruptions.weather import brightness, fog, snow

SEVERITIES = (1, 2, 3, 4, 5)

Corruption = Callable[[Tensor, int, torch.Generator], Tensor]

CORRUPTIONS: dict[str, Corruption] = {
    each.__name__: each
    for each in (
        gaussian_noise, shot_noise, impulse_noise,
        gaussian_blur, defocus_blur, glass_blur, motion_blur, zoom_blur,
        snow, fog, brightness,
        contrast, elastic_transform, pixelate, jpeg,
    )
}  # fmt: skip


def corrupt(image: Tensor, name: str, severity: int, generator: torch.Generator) -> Tensor:
    """Corrupted images (B, C, H, W), uint8, of such ones."""
    changed = CORRUPTIONS[name](image.float() / 255, severity, generator)
    return (changed.clamp(0, 1) * 255).round().to(torch.uint8)
