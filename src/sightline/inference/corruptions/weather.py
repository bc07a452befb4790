"""Snow, fog and light."""

import torch
from torch import Tensor

from sightline.inference.corruptions.sampling import pixels, streaks
from sightline.inference.corruptions.textures import plasma, smooth_noise


def snow(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Flakes that fall, and what they lie on gets whiter.

    Flakes are where noise passes a threshold. The paper's noise is enlarged; this one is smooth, of
    the same spread and as coarse. Its threshold at severity 3 is 0.88, not 0.9, where there would
    be less snow than at severity 2.
    """
    mean, least, coarse, length, fall, kept = (
        (0.1, 0.5, 3, 20, 4, 0.8),
        (0.2, 0.5, 2, 24, 4, 0.7),
        (0.55, 0.88, 4, 24, 8, 0.7),
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
    falling = streaks(flakes, angle, pixels(image, length), pixels(image, fall))
    grey = _luma(image)
    white = kept * image + (1 - kept) * torch.maximum(image, grey * 1.5 + 0.5)
    return white + falling + falling.flip(2, 3)


def _luma(image: Tensor) -> Tensor:
    """Grey (B, 1, H, W) by Rec. 601; the mean where there are not three colours."""
    if image.shape[1] != 3:
        return image.mean(dim=1, keepdim=True)
    return (image * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)


def fog(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Clouds of light before the image, no brighter than its brightest point."""
    amount, decay = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))[severity - 1]
    count, _, height, width = image.shape
    # The paper's noise is a product of two factors that both decay.
    clouds = plasma(count, max(height, width), decay**2, generator)[:, None, :height, :width]
    brightest = image.amax(dim=(1, 2, 3), keepdim=True)
    return (image + amount * clouds) * brightest / (brightest + amount)


def brightness(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """More light: the value of HSV grows, while hue and saturation stay.

    The value is a pixel's greatest channel, so all its channels grow by one factor; black, which
    has no hue, becomes grey.
    """
    value = image.amax(dim=1, keepdim=True)
    lighter = (value + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1]).clamp(max=1)
    return torch.where(value > 0, image * (lighter / value.clamp(min=1e-6)), lighter)
