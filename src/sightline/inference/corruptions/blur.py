"""Blur by lenses, glass and movement."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from sightline.inference.corruptions.sampling import blurred, pixels, places, read_at


def gaussian_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Out of focus, evenly."""
    least = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]  # the paper's for images of 32 pixels
    return blurred(image, max(least, pixels(image, (1, 2, 3, 4, 6)[severity - 1])))


def defocus_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Out of focus, as a lens is: each point is a disk."""
    least, edge = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.5), (1.5, 0.5))[severity - 1]
    radius = max(least, pixels(image, (3, 4, 6, 8, 10)[severity - 1]))
    reach = math.ceil(radius)
    line = torch.arange(-reach, reach + 1.0)
    disk = (radius + 0.5 - torch.hypot(line[:, None], line)).clamp(0, 1)
    disk = (disk / disk.sum())[None, None]
    wide = pad(image, [reach] * 4, "replicate").flatten(0, 1)[:, None]
    return blurred(conv2d(wide, disk).view(image.shape), edge)


def glass_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Behind frosted glass: each pixel is another one nearby.

    The paper swaps neighbours one after another, several times over; here all move at once, as far
    as n times by up to d would bring them: √n d. Small images keep the widest blur of the paper's
    for 32 pixels, and reaches that grow to those, which do not.
    """
    sigma, reach, least = (
        (0.7, 2**0.5, 0.6),
        (0.9, 2, 0.7),
        (1, 12**0.5, 0.85),
        (1.1, 18**0.5, 1),
        (1.5, 32**0.5, 2**0.5),
    )[severity - 1]
    sigma, reach = max(0.4, pixels(image, sigma)), max(least, pixels(image, reach))
    count, channels, height, width = image.shape
    draw = 2 * torch.rand(2, count, height, width, generator=generator) - 1
    down, right = (reach * draw).round().long()
    rows = (torch.arange(height)[:, None] + down).clamp(0, height - 1)
    columns = (torch.arange(width) + right).clamp(0, width - 1)
    place = (rows * width + columns).view(count, 1, -1).expand(-1, channels, -1)
    return blurred(blurred(image, sigma).flatten(2).gather(2, place).view(image.shape), sigma)


def motion_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A camera that moves sideways, evenly; the paper's moves at any angle, and fades."""
    length = 1 + pixels(image, (9, 14, 19, 24, 29)[severity - 1])
    reach = math.ceil(length / 2)
    line = (length / 2 + 0.5 - torch.arange(-reach, reach + 1.0).abs()).clamp(0, 1)
    wide = pad(image, [reach, reach, 0, 0], "replicate").flatten(0, 1)[:, None]
    return conv2d(wide, (line / line.sum())[None, None, None]).view(image.shape)


def zoom_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A camera that moves forward."""
    last, steps = ((1.1, 11), (1.15, 16), (1.2, 11), (1.24, 13), (1.3, 11))[severity - 1]
    where, total = places(image), image
    for zoom in torch.linspace(1, last, steps):
        total = total + read_at(image, where / zoom)
    return total / (steps + 1)
