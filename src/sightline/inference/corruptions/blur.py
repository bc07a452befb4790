"""Blur by lenses, glass and movement."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from sightline.inference.corruptions.sampling import (
    blurred,
    pixels,
    places,
    read_at,
    streaks,
)


def gaussian_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Out of focus, evenly."""
    least = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]  # the paper's for images of 32 pixels
    return blurred(image, max(least, pixels(image, (1, 2, 3, 4, 6)[severity - 1])))


def defocus_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Out of focus, as a lens is: each point is a disk.

    The disk's edge is smooth over a pixel, so that a radius may lie between two numbers; the
    paper's disk has whole pixels alone.
    """
    wide, edge = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity - 1]
    least, fine_edge = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    radius = pixels(image, wide)
    if radius < least:
        radius, edge = least, fine_edge
    reach = math.ceil(radius)
    line = torch.arange(-reach, reach + 1.0)
    disk = (radius + 0.5 - torch.hypot(line[:, None], line)).clamp(0, 1)
    disk = (disk / disk.sum())[None, None]
    padded = pad(image, [reach] * 4, "replicate").flatten(0, 1)[:, None]
    return blurred(conv2d(padded, disk).view(image.shape), edge)


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
    """A camera that moves at an angle of up to 45° to the horizontal, ever fainter."""
    radius, fade = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    least = (1, 1.5, 2, 2, 2.5)[severity - 1]
    sigma = max(least, pixels(image, fade))
    angle = torch.deg2rad(90 * torch.rand(len(image), generator=generator) - 45)
    return streaks(image, angle, max(3 * least, pixels(image, 2 * radius)), sigma)


def zoom_blur(image: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """A camera that moves forward."""
    # The paper's ranges with their last values: NumPy's arange(1, 1.11, 0.01) ends at 1.11.
    last, steps = ((1.11, 12), (1.15, 16), (1.2, 11), (1.24, 13), (1.3, 11))[severity - 1]
    where, total = places(image), image
    for zoom in torch.linspace(1, last, steps):
        total = total + read_at(image, where / zoom)
    return total / (steps + 1)
