"""Snow, fog and light."""

import torch
from torch import Tensor

from sightline.inference.corruptions.sampling import pixels, places, read_at
from sightline.inference.corruptions.textures import plasma, smooth_noise


def snow(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Flakes that fall, and what they lie on gets whiter.

    Flakes are where noise passes a threshold. The paper's noise is enlarged; this one is smooth, of
    the same spread and as coarse.
    """
    mean, least, coarse, length, fall, kept = (
        (0.1, 0.5, 3, 20, 4, 0.8),
        (0.2, 0.5, 2, 24, 4, 0.7),
        (0.55, 0.88, 4, 24, 8, 0.7),  # of 0.9 there would be less than before
        (0.55, 0.85, 4.5, 24, 8, 0.65),
        (0.55, 0.85, 2.5, 24, 12, 0.55),
    )[severity - 1]
    count, _, height, width = image.shape
    # Enlarging by z what varies by 0.3 leaves two thirds of that, and neighbours as alike as a
    # Gaussian of z/√6 pixels does.
    sigma = max(0.4, pixels(image, coarse) / 6**0.5)
    noise = mean + 0.2 * smooth_noise((count, 1, height, width), sigma, generator)
    flakes = torch.where(noise < least, 0.0, noise.clamp(0, 1))
    angle = torch.deg2rad(45 + 90 * torch.rand(count, generator=generator))
    falling = _streaks(flakes, angle, pixels(image, length), pixels(image, fall))
    grey = image.mean(dim=1, keepdim=True)
    white = kept * image + (1 - kept) * torch.maximum(image, grey * 1.5 + 0.5)
    return white + falling + falling.flip(2, 3)


def _streaks(image: Tensor, angle: Tensor, length: float, sigma: float) -> Tensor:
    """Images moved along an angle each (0 is to the right, 90° is down), ever fainter."""
    steps = torch.arange(round(length) + 1)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    size = torch.tensor([image.shape[3], image.shape[2]])
    step = 2 * torch.stack([angle.cos(), angle.sin()], dim=-1) / size
    where, total = places(image), torch.zeros_like(image)
    for i, weight in zip(steps.tolist(), weights / weights.sum(), strict=True):
        total = total + weight * read_at(image, where - i * step[:, None, None])
    return total


def fog(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Clouds of light before the image, no brighter than its brightest point."""
    amount, decay = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))[severity - 1]
    count, _, height, width = image.shape
    # The paper's noise is a product of two factors that both decay.
    clouds = plasma(count, max(height, width), decay**2, generator)[:, None, :height, :width]
    brightest = image.amax(dim=(1, 2, 3), keepdim=True)
    return (image + amount * clouds) * brightest / (brightest + amount)


def brightness(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """More light."""
    return image + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]
