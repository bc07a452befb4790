"""Common corruptions of images at five severities (Hendrycks and Dietterich 2019).

Fourteen of their fifteen, and the Gaussian blur of their four further ones. Frost is left out: it
needs photographs of frosted windows, and a synthetic texture would measure something else.

Formulas and strengths are those of the paper's published code for images of 224 pixels
(github.com/hendrycks/robustness, make_imagenet_c.py), unless a function's docstring says how it
departs; `tests/inference/test_corruptions.py` holds both to it. Lengths in pixels are scaled to the
image's side, with the code's values for images of 32 pixels as lower bounds, so that small images
are corrupted too.

A corruption is a function of float images (B, C, H, W) in [0, 1], a severity and the generator of
all its random numbers; its result may leave that range. A new one is added to the list below.
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
    """Corrupted copies of images (B, C, H, W), uint8."""
    changed = CORRUPTIONS[name](image.float() / 255, severity, generator)
    return (changed.clamp(0, 1) * 255).round().to(torch.uint8)
